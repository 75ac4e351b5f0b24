import { isUtf8 } from 'node:buffer';
import { quote } from '../model/advice.ts';
import type { Secret } from '../model/entry.ts';
import { CredstashError, type Failure, combineFailures } from '../errors.ts';
import { decodeUtf8 } from '../util/utf8.ts';
import { toVariableName } from './env-name.ts';

/** The options of all formats. Each format ignores those that do not concern it. */
export interface FormatOptions {
  /** Keep names as they are, instead of turning them into names of variables. */
  readonly rawNames?: boolean;
  /** Whether the output goes to a terminal. */
  readonly onTerminal?: boolean;
  /** What the format takes off the beginning of each name, before it names the variable. Every name begins with it. */
  readonly strippedPrefix?: string;
  /** The prefix of each variable. */
  readonly prefix?: string;
  /** Reserved variables that may be set (src/model/variable-names.ts). */
  readonly allowName?: readonly string[];
  /** Refuse reserved variables also in dotenv, which otherwise keeps every name, as the original does. */
  readonly refuseReserved?: boolean;
  /** The name of the Kubernetes Secret. */
  readonly k8sName?: string;
}

/** Why a format refuses a name that `visible` would change. */
export const UNSEEN_NAME =
  'its name has invisible or control characters, or a command to the runner of a job';

/**
 * Checks the values, for a format that holds only text.
 *
 * @throws CredstashError USAGE, naming each secret that is not UTF-8
 */
export function checkTexts(format: string, secrets: readonly Secret[]): void {
  const failures = secrets
    .filter(({ value }) => !isUtf8(value))
    .map(({ name }) => ({ name, error: new CredstashError('USAGE', 'it is not UTF-8 text') }));
  if (failures.length === 0) return;
  throw combineFailures(
    `${format} cannot hold ${failures.length} of the secrets`,
    failures,
    'json and yaml can; or get such a secret with `output: "FILE"`',
  );
}

/** Decodes a value that `checkTexts` has checked. */
export function toText(value: Uint8Array): string {
  return decodeUtf8(value) ?? '';
}

/** Creates the function that names a secret's variable in a format for environments. */
export function createVariableNamer({
  rawNames,
  prefix = '',
  strippedPrefix,
}: FormatOptions): (name: string) => string {
  return (name) => {
    const rest = stripPrefix(name, strippedPrefix);
    return rawNames ? `${prefix}${rest}` : toVariableName(rest, prefix);
  };
}

/** The name without `strippedPrefix`, with which it begins. */
export function stripPrefix(name: string, strippedPrefix = ''): string {
  return name.slice(strippedPrefix.length);
}

/** The rules of a format that names variables. */
interface VariableRules<Value> {
  /** Makes the variable of a name. */
  readonly rename: (name: string) => string;
  /** Returns why the format cannot hold a variable or value, as text or error; undefined if it can. */
  readonly refuse: (variable: string, value: Value) => string | CredstashError | undefined;
}

/**
 * Renames secrets to a format's variables, and refuses those that the format cannot hold, for a format that holds only text.
 *
 * @returns the secrets, whose names are variables now
 * @throws CredstashError USAGE, naming each secret that is not UTF-8; as `toVariables` does
 */
export function toTextVariables(
  format: string,
  secrets: readonly Secret[],
  { rename, refuse }: VariableRules<string>,
): Secret[] {
  checkTexts(format, secrets);
  return toVariables(format, secrets, {
    rename,
    refuse: (variable, value) => refuse(variable, toText(value)),
  });
}

/**
 * Renames secrets to a format's variables, and refuses those that the format cannot hold.
 *
 * @returns the secrets, whose names are variables now
 * @throws CredstashError USAGE, naming each secret that is refused, or whose variable another secret has too
 */
export function toVariables(
  format: string,
  secrets: readonly Secret[],
  { rename, refuse }: VariableRules<Uint8Array>,
): Secret[] {
  const failures: Failure[] = [];
  const taken = new Map<string, string>();
  const renamed = secrets.map(({ name, value }): Secret => {
    const variable = rename(name);
    const other = taken.get(variable);
    taken.set(variable, name);
    const why =
      variable === '' && name !== ''
        ? 'nothing of its name is left for its variable'
        : other === undefined
          ? refuse(variable, value)
          : `its variable would be ${variable}, as that of ${other}`;
    if (why !== undefined) {
      failures.push({ name, error: why instanceof Error ? why : new CredstashError('USAGE', why) });
    }
    return { name: variable, value };
  });
  if (failures.length === 0) return renamed;
  throw combineFailures(
    `${format} cannot hold ${failures.length} of the secrets`,
    failures,
    `json and yaml can; or choose other secrets with \`get("GLOB", { format: ${quote(format)} })\``,
  );
}
