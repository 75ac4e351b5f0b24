import { didYouMean, findNear } from '../util/near-name.ts';
import { describe, isBytes, isDetached, isObject, isPromise } from './describe.ts';

/*
 * The kinds of arguments and options: a test, and words for an error. The tests avoid `instanceof`, which fails for values of
 * other realms (Jest, `node:vm`).
 */

/** The longest time that a timer of Node.js can wait for, in milliseconds. */
export const LONGEST_MS = 2 ** 31 - 1;

/** A fault inside a value: its path, such as `.context.port` or `[3].name`, the problem, and the given value's type. */
export interface Fault {
  readonly path: string;
  /** `must be …`, or another predicate of the place. */
  readonly problem: string;
  readonly hint?: string | undefined;
}

/** A test of a value. @returns the fault; undefined if the value is valid */
export type Kind = (value: unknown) => Fault | undefined;

/** Makes a kind of one test. @param wanted `a string` @param hint returns the hint for a common wrong value */
export function kind(
  wanted: string,
  accepts: (value: unknown) => boolean,
  hint: (value: unknown) => string | undefined = () => undefined,
): Kind {
  return (value) => (accepts(value) ? undefined : mismatch(wanted, value, hint(value)));
}

function mismatch(wanted: string, value: unknown, hint?: string): Fault {
  return { path: '', problem: `must be ${wanted}, not ${describe(value)}`, hint };
}

/** Whether a value can be read as named properties: no list, no Map, no promise, and no class instance without properties. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (!isObject(value) || Symbol.iterator in value || isPromise(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // A plain object of any realm: only its prototype has none.
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isPlain || Object.keys(value).length > 0;
}

export const text = kind(
  'a string',
  (value) => typeof value === 'string',
  (value) => (typeof value === 'number' ? 'write it as a string' : undefined),
);
export const flag = kind('true or false', (value) => typeof value === 'boolean');
export const callback = kind('a function', (value) => typeof value === 'function');
export const object = kind('an object', (value) => isObject(value) && !Array.isArray(value));
export const bytes = kind('bytes (a Uint8Array)', isBytes, (value) =>
  typeof value === 'string' ? 'Buffer.from(text) makes bytes of a string' : undefined,
);

/** A secret for `put`. */
export const secret: Kind = (value) => {
  if (typeof value === 'string') {
    if (value.isWellFormed()) return undefined;
    const problem = 'must be valid Unicode text, and has a surrogate without its other half';
    return { path: '', problem, hint: 'give it as bytes' };
  }
  if (isBytes(value) && !isDetached(value)) return undefined;
  return mismatch('bytes (a Uint8Array) or a string', value, 'putJson stores any JSON value');
};

export const signal = kind(
  'an AbortSignal',
  (value) =>
    isObject(value) &&
    typeof (value as AbortSignal).aborted === 'boolean' &&
    typeof (value as AbortSignal).addEventListener === 'function',
  (value) =>
    isObject(value) && 'signal' in value ? "give the controller's signal: .signal" : undefined,
);

/** A number from `least` to `most`. */
export function number(wanted: string, least: number, most = Infinity): Kind {
  return numberOf(wanted, (value) => value >= least && value <= most && value !== Infinity);
}

/** @param least the least time, in milliseconds */
export function milliseconds(least: number): Kind {
  return number(`a number of milliseconds from ${least} to ${LONGEST_MS}`, least, LONGEST_MS);
}

export const count = numberOf(
  'a whole number from 1 on',
  (value) => Number.isSafeInteger(value) && value >= 1,
);

/** A number by a test. An error says which number came: no secret is given as the number of an option. */
function numberOf(wanted: string, accepts: (value: number) => boolean): Kind {
  return (value) => {
    if (typeof value !== 'number') return mismatch(wanted, value);
    return accepts(value) ? undefined : { path: '', problem: `must be ${wanted}, not ${value}` };
  };
}

export function oneOf(values: readonly string[]): Kind {
  const wanted = `one of ${values.map((value) => `'${value}'`).join(', ')}`;
  return (value) => {
    if (typeof value !== 'string') return mismatch(wanted, value);
    if (values.includes(value)) return undefined;
    return { path: '', problem: `must be ${wanted}`, hint: didYouMean(value, values) };
  };
}

/** A list, each item of one kind. */
export function list(wanted: string, item: Kind): Kind {
  return (value) => {
    if (!Array.isArray(value)) return mismatch(wanted, value);
    // Not `findIndex`, which passes over the holes of a list.
    for (const [i, each] of Array.from(value as unknown[]).entries()) {
      const fault = item(each);
      if (fault) return { ...fault, path: `[${i}]${fault.path}` };
    }
    return undefined;
  };
}

/** A kind that a caller may leave out. */
export function optional(accepts: Kind): Kind {
  return (value) => (value === undefined ? undefined : accepts(value));
}

/** Accepts a value of either kind. Its errors are those of the second kind. */
export function either(first: Kind, second: Kind): Kind {
  return (value) => (first(value) ? second(value) : undefined);
}

/** An object, each value of one kind; the encryption context for one. */
export function record(wanted: string, value: Kind): Kind {
  return (given) => {
    if (!isRecord(given)) return mismatch(wanted, given);
    for (const [key, each] of Object.entries(given)) {
      const fault = value(each);
      if (fault) return { ...fault, path: `${pathOf(key)}${fault.path}` };
    }
    return undefined;
  };
}

/** An object with only strings. Refuses class instances, whose state beyond their properties would be lost. */
export const pairs: Kind = (value) => {
  const wanted = 'an object of strings';
  if (isObject(value)) {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
      return mismatch(wanted, value, 'Object.fromEntries makes an object of a Map');
    }
  }
  return record(wanted, text)(value);
};

/** Formats a property's name for an error if it looks like a name. Any other text may be a misplaced secret. */
function pathOf(key: string): string {
  return /^[A-Za-z_$][\w$.:/-]{0,60}$/.test(key) ? `.${key}` : '.(a property)';
}

export interface OptionsKind {
  /** The method that takes the options, for an error: `get`. */
  readonly owner: string;
  readonly options: Readonly<Record<string, Kind>>;
  /** Options that errors do not list. */
  readonly internal?: readonly string[];
  /** Options that the method needs. */
  readonly required?: readonly string[];
  /** If set, other properties are allowed too, except names that are close to an option's and not in this list. */
  readonly open?: readonly string[];
}

/** Accepts an object with only these options, each unset or of its kind. */
export function optionsOf({
  owner,
  options,
  internal = [],
  required = [],
  open,
}: OptionsKind): Kind {
  const known = Object.keys(options).filter((name) => !internal.includes(name));
  return (value) => {
    if (!isRecord(value)) return mismatch('an object', value, hintOfOption(value, options));
    for (const name of Object.keys(value)) {
      if (Object.hasOwn(options, name)) continue;
      const near = findNear(name, known);
      if (open && (near === undefined || open.includes(name))) continue;
      return {
        path: '',
        problem: `has ${/^[A-Za-z_$][\w$]{0,40}$/.test(name) ? name : 'a property'}, which is not an option of ${owner}`,
        hint: hintOfUnknown(name, near, known, owner),
      };
    }
    for (const [name, accepts] of Object.entries(options)) {
      const each = value[name];
      if (each === undefined && !required.includes(name)) continue;
      const fault = accepts(each);
      if (fault) return { ...fault, path: `.${name}${fault.path}` };
    }
    return undefined;
  };
}

/** Suggests how to pass the options if they are not an object. */
function hintOfOption(value: unknown, options: Readonly<Record<string, Kind>>): string | undefined {
  if (typeof value !== 'string') return undefined;
  const name = ['glob', 'version', 'name'].find((each) => Object.hasOwn(options, each));
  return name === undefined ? undefined : `give it as an option: { ${name}: … }`;
}

const OF_CACHE = ['maxAge', 'forceFetch', 'ttl', 'maxStale', 'missingTtl', 'maxEntries'];

function hintOfUnknown(
  name: string,
  near: string | undefined,
  known: readonly string[],
  owner: string,
): string {
  if (near !== undefined) return `did you mean ${near}?`;
  if (OF_CACHE.includes(name)) return `${name} is an option of a cache: see createCache`;
  return known.length === 0 ? `${owner} has no options` : `the options are ${known.join(', ')}`;
}
