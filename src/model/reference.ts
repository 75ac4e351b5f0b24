import { bindName, type Context, checkContext } from './context.ts';
import { CredstashError, type Failure, combineFailures } from '../errors.ts';
import { parseField } from './field.ts';
import { checkName } from './name.ts';
import { checkSelector } from './selector.ts';

/** A parsed reference, which takes the place of a secret in an environment or a file. */
export interface Reference {
  readonly name: string;
  /** Absent, and no label: the newest version. */
  readonly version?: string;
  /** The version that has this label; never together with a version. */
  readonly label?: string;
  /** The field of a secret that is JSON, as `parseField` takes it; absent: the whole secret. */
  readonly field?: string;
  /** The reference's own pairs of the encryption context. */
  readonly context: Context;
}

/** A reference and its place: the name of a variable, or a line and column. */
export interface PlacedReference extends Reference {
  readonly place: string;
}

/** The prefix of every reference. */
export const SCHEME = 'credstash://';

const HINT =
  'a reference is credstash://NAME, credstash://NAME?version=V&KEY=VALUE or credstash://NAME?label=L&KEY=VALUE, each with #FIELD at its end for one field, and with % and two digits for each byte that is special';

/** Whether `text` begins with `credstash://`. It may still be malformed. */
export function isReference(text: string): boolean {
  return text.startsWith(SCHEME);
}

/**
 * Parses `credstash://NAME[?version=V&KEY=VALUE…][#FIELD]`, or with `label=L` instead of the version. NAME, keys, values and FIELD
 * are percent-decoded as UTF-8 (RFC 3986, section 2.1); `+` is a plus, and `*` a character of the name. White space, control
 * characters, `|`, `{` and `}` must be percent-encoded, so that a reference means the same in every file; so must a `#` that does
 * not begin FIELD, and a `?` in FIELD.
 *
 * @throws CredstashError USAGE if the reference is malformed, a parameter is repeated, or its name, version, label, field or
 *   context is invalid. The message quotes nothing of it but the key of a parameter
 */
export function parseReference(text: string): Reference {
  if (!isReference(text)) throw malformedReference(`it does not begin with ${SCHEME}`);
  if (/[\s\p{Cc}|{}]/u.test(text)) {
    throw malformedReference('it has white space or one of | { } that is not percent-encoded');
  }
  const [address, fragment] = splitAtFirst(text.slice(SCHEME.length), '#');
  const field = parseFragment(fragment);
  const [path, query] = splitAtFirst(address, '?');
  const name = checkName(decodePercent(path));
  const parameters = new Map<string, string>();
  for (const parameter of query?.split('&') ?? []) {
    const [key, value] = splitAtFirst(parameter, '=').map((each) => each && decodePercent(each));
    if (key === undefined || value === undefined)
      throw malformedReference('it has a parameter without a =');
    if (parameters.has(key)) throw malformedReference(`it has the parameter ${key} twice`);
    parameters.set(key, value);
  }
  const which = checkSelector({
    version: parameters.get('version'),
    label: parameters.get('label'),
  });
  parameters.delete('version');
  parameters.delete('label');
  const context = checkContext(parameters, 'open');
  bindName(context, name);
  const { version, label } = which;
  return {
    name,
    ...(version === undefined ? {} : { version }),
    ...(label === undefined ? {} : { label }),
    ...(field === undefined ? {} : { field }),
    context,
  };
}

function parseFragment(fragment: string | undefined): string | undefined {
  if (fragment === undefined) return undefined;
  if (fragment.includes('#')) {
    throw malformedReference('it has a second # that is not percent-encoded');
  }
  // As in any URI the parameters come first. Otherwise the version of NAME#FIELD?version=V would be lost.
  if (fragment.includes('?')) {
    throw malformedReference('its #FIELD has a ?, and the parameters come before the #');
  }
  const field = decodePercent(fragment);
  parseField(field);
  return field;
}

/**
 * Adds the pairs that hold for all references, such as those of a command line. The reference's own pairs win.
 *
 * @throws CredstashError USAGE if both together, with the name, exceed 8192 bytes
 */
export function addSharedContext<T extends Reference>(reference: T, shared: Context): T {
  const { name, context: own } = reference;
  const context = checkContext([...Object.entries(shared), ...Object.entries(own)], 'open');
  bindName(context, name);
  return { ...reference, context };
}

/**
 * Parses several references, and adds the shared pairs to each (`addSharedContext`).
 *
 * @throws CredstashError USAGE with `failures`, one for each that is malformed, named by its place
 */
export function parseReferences(
  texts: Iterable<readonly [place: string, text: string]>,
  shared: Context,
): PlacedReference[] {
  return parseAll(texts, (text) => addSharedContext(parseReference(text), shared));
}

/**
 * Parses each of `items`, and adds its place to the result.
 *
 * @throws CredstashError with `failures`, one for each item that `parse` refuses, named by its place
 */
export function parseAll<Item, Parsed>(
  items: Iterable<readonly [place: string, item: Item]>,
  parse: (item: Item) => Parsed,
): (Parsed & { readonly place: string })[] {
  const failures: Failure[] = [];
  const parsed: (Parsed & { readonly place: string })[] = [];
  for (const [place, item] of items) {
    try {
      parsed.push({ ...parse(item), place });
    } catch (error) {
      if (!(error instanceof CredstashError)) throw error;
      failures.push({ name: place, error });
    }
  }
  if (failures.length === 0) return parsed;
  const what = failures.length === 1 ? 'a reference is' : `${failures.length} references are`;
  throw combineFailures(`${what} malformed, so no secret was asked for`, failures, HINT);
}

/** The error of a malformed reference. @param why must not quote the text, which may be a secret */
export function malformedReference(why: string): CredstashError {
  return new CredstashError('USAGE', `the reference is malformed: ${why}`, { hint: HINT });
}

function splitAtFirst(text: string, mark: string): [before: string, after: string | undefined] {
  const index = text.indexOf(mark);
  return index === -1 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)];
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not kept as a cause: it may quote the text.
    throw malformedReference(
      'what follows a % is not two hexadecimal digits, or the bytes are not UTF-8',
    );
  }
}
