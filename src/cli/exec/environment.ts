import type { Secret } from '../../model/entry.ts';
import { CredstashError, type Failure, combineFailures } from '../../errors.ts';
import { toVariableName } from '../../format/env-name.ts';
import { refuseReserved } from '../../model/variable-names.ts';
import { findLiteralPrefix } from '../../model/glob.ts';
import { isReference, SCHEME } from '../../model/reference.ts';
import { byteLength, decodeUtf8 } from '../../util/utf8.ts';

/** A process's environment, without a prototype. */
export type Environment = Readonly<Record<string, string>>;

/** A secret and the variable that will hold it. */
export interface Assignment extends Secret {
  /** The variable, if the user named it. */
  readonly variable?: string;
  /** Otherwise the GLOB that the secret matched, from which the variable is derived; default: the secret's name. */
  readonly glob?: string;
  /** Whether the variable holds the path of a file with the secret. The user has named such a variable. */
  readonly isFile?: true;
  /** The field of a reference, or one that `--fields` takes. */
  readonly field?: string | undefined;
  /** The key of a field that `--fields` takes, from which the variable is derived. */
  readonly key?: string;
}

/** The variables that `--pristine` keeps. */
const PRISTINE = ['PATH', 'HOME', 'TERM'];

/** The longest `NAME=VALUE`, its final NUL included, that a process can be given (Linux, execve(2): 32 pages). */
const MAX_VARIABLE_BYTES = 131_072;

/**
 * Selects the variables that a program inherits.
 *
 * @param options.pristine only PATH, HOME, TERM and those that `keep` lists
 * @throws CredstashError USAGE, naming the variables that are not UTF-8, which Node.js has changed
 */
export function inheritEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  options: { readonly pristine?: boolean; readonly keep?: readonly string[] } = {},
): Environment {
  const kept = Object.create(null) as Record<string, string>;
  const damaged: string[] = [];
  for (const [name, value] of Object.entries(environment)) {
    const isKept = !options.pristine || [...PRISTINE, ...(options.keep ?? [])].includes(name);
    if (value === undefined || !isKept) continue;
    if (`${name}${value}`.includes('\ufffd')) damaged.push(name);
    kept[name] = value;
  }
  if (damaged.length === 0) return kept;
  throw new CredstashError(
    'USAGE',
    `of the environment, ${damaged.join(', ')} is not valid UTF-8, and cannot be passed on`,
    { hint: `run it without: env -u ${damaged[0] ?? ''} credstash …, or with --pristine` },
  );
}

/** Finds the variables whose whole value is a reference, well-formed or not. */
export function findReferences(environment: Environment): [variable: string, text: string][] {
  return Object.entries(environment).filter(([, value]) => isReference(value));
}

/** Stands for all variables that hold a reference, in the place of a variable's name. */
export const EVERY_REFERENCE = '*';

/**
 * Selects the references in the variables `names`; with `EVERY_REFERENCE` all references in the environment.
 *
 * @throws CredstashError USAGE, naming the variables that are unset or hold no reference, because the program would miss
 *   a secret
 */
export function chooseReferences(
  environment: Environment,
  names: readonly string[],
): [variable: string, text: string][] {
  const named = names.filter((name) => name !== EVERY_REFERENCE);
  const unset = named.filter((name) => !(name in environment));
  const plain = named.filter(
    (name) => name in environment && !isReference(environment[name] ?? ''),
  );
  const all = findReferences(environment);
  if (unset.length > 0 || plain.length > 0) {
    const problems = [
      ...(unset.length > 0 ? [`the environment has no ${unset.join(' and no ')}`] : []),
      ...(plain.length > 0 ? [`the value of ${plain.join(', ')} is not a reference`] : []),
    ].join(', and ');
    const holders = all.map(([variable]) => variable).join(', ');
    throw new CredstashError('USAGE', `nothing to resolve: ${problems}`, {
      hint:
        holders === ''
          ? `a reference is a value that begins with ${SCHEME}`
          : `these variables hold references: ${holders}`,
    });
  }
  return names.includes(EVERY_REFERENCE) ? all : all.filter(([name]) => named.includes(name));
}

/** The options for the names of variables. */
export interface NameOptions {
  /** Whether to use the secrets' whole names. */
  readonly fullNames?: boolean;
  /** Put before each variable. */
  readonly prefix?: string;
}

/**
 * Derives the variable of a secret: its name without the literal prefix of `glob`, or the whole name if `glob` has no `*`,
 * in the form of an environment variable.
 */
export function variableOf(name: string, glob: string, options: NameOptions = {}): string {
  const isWhole = options.fullNames === true || !glob.includes('*');
  return toVariableName(
    isWhole ? name : name.slice(findLiteralPrefix(glob).length),
    options.prefix,
  );
}

/** Derives the variable of a secret's field: its key, in the form of an environment variable. */
function variableOfField(name: string, key: string, options: NameOptions): string {
  return toVariableName(options.fullNames ? `${name}.${key}` : key, options.prefix);
}

/**
 * Builds the environment of a program: the inherited variables and the secrets.
 *
 * @param base the inherited variables
 * @param secrets the secrets of the command line. The same secret may appear twice for one variable.
 * @param options.resolved the secrets of all references in `base`. If `secrets` has another secret for one of their variables,
 *   that is an error.
 * @param options.override whether `secrets` override `base`
 * @param options.allowName reserved variables that a GLOB may set (src/model/variable-names.ts)
 * @throws CredstashError USAGE or TOO_LARGE, naming each secret that cannot be put into a variable
 */
export function buildEnvironment(
  base: Environment,
  secrets: readonly Assignment[],
  options: {
    readonly resolved?: readonly Assignment[];
    readonly override: boolean;
    readonly allowName?: readonly string[];
    /** Makes the path of the file of a variable. The file need not exist yet. */
    readonly pathOf?: (variable: string) => string;
  } & NameOptions,
): Environment {
  const environment = Object.assign(Object.create(null) as Record<string, string>, base);
  const taken = new Map<string, Assignment & { readonly variable: string }>();
  const failures: Failure[] = [];
  let hint = HINT;
  const resolved = (options.resolved ?? []).map((each) => nameVariable(each, options));
  const wanted = secrets
    .map((each) => nameVariable(each, options))
    .filter(({ variable }) => options.override || !(variable in base));
  for (const each of [...resolved, ...wanted]) {
    const { variable, value } = each;
    const other = taken.get(variable);
    if (other && isSame(other, each)) continue;
    const text = each.isFile ? options.pathOf?.(variable) : decodeUtf8(value);
    const error = other
      ? new CredstashError(
          'USAGE',
          `its variable would be ${variable}, as that of ${describe(other)}`,
        )
      : (refuseVariable(variable, text) ??
        refuseReservedOfPattern(variable, each, options.allowName));
    if (error) failures.push({ name: describe(each), error });
    if (other && wholeName(other) !== wholeName(each))
      hint = `--full-names keeps whole names; ${HINT}`;
    taken.set(variable, each);
    environment[variable] = text ?? '';
  }
  if (failures.length === 0) return environment;
  throw combineFailures(
    `${failures.length} of the secrets cannot be put into the environment, so the command is not run`,
    failures,
    hint,
  );
}

const HINT =
  'name a variable with --env NAME=SECRET; a secret that none can hold goes into a file: --file NAME=SECRET';

/** Names the variable as --full-names would, if a GLOB matched the secret. */
function wholeName({
  name,
  glob,
  variable,
  key,
}: Assignment & { readonly variable: string }): string {
  if (key !== undefined) return variableOfField(name, key, { fullNames: true });
  return glob?.includes('*') ? variableOf(name, glob, { fullNames: true }) : variable;
}

function isSame(one: Assignment, other: Assignment): boolean {
  return (
    describe(one) === describe(other) &&
    one.isFile === other.isFile &&
    Buffer.compare(one.value, other.value) === 0
  );
}

/** How messages name a secret or its field. */
function describe({ name, field }: Assignment): string {
  return field === undefined ? name : `${name}#${field}`;
}

function nameVariable<Each extends Assignment>(
  each: Each,
  options: NameOptions,
): Each & { readonly variable: string } {
  const { variable, name, glob = name, key } = each;
  if (variable !== undefined) return { ...each, variable };
  const derived =
    key === undefined ? variableOf(name, glob, options) : variableOfField(name, key, options);
  return { ...each, variable: derived };
}

/**
 * Explains why a GLOB or --fields may not set a reserved variable: who writes secrets chooses its name. A name without * may,
 * because the user has chosen it.
 */
function refuseReservedOfPattern(
  variable: string,
  { name, glob, key, field = '' }: Assignment,
  allowed: readonly string[] | undefined,
): CredstashError | undefined {
  if (key !== undefined) return refuseReserved(variable, allowed, { name, field });
  return glob?.includes('*') ? refuseReserved(variable, allowed) : undefined;
}

/** Explains why a variable of this name or value cannot exist. */
function refuseVariable(variable: string, text: string | undefined): CredstashError | undefined {
  if (variable === '') {
    return new CredstashError('USAGE', 'nothing of its name is left for its variable');
  }
  if (text === undefined) {
    return new CredstashError('USAGE', 'it is not UTF-8 text, and Node.js passes on no other');
  }
  if (text.includes('\0')) {
    return new CredstashError('USAGE', 'it has a NUL, which no environment can hold');
  }
  const bytes = byteLength(`${variable}=${text}`) + 1;
  if (bytes <= MAX_VARIABLE_BYTES) return undefined;
  return new CredstashError(
    'TOO_LARGE',
    `as the variable ${variable} it would have ${bytes} bytes, and ${MAX_VARIABLE_BYTES} are possible`,
  );
}
