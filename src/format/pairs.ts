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
 * Decodes the values, for a format that holds only text.
 *
 * @throws CredstashError USAGE, naming each secret that is not UTF-8
 */
export function toTextPairs(
  format: string,
  secrets: readonly Secret[],
): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  const failures = [];
  for (const { name, value } of secrets) {
    const text = decodeUtf8(value);
    if (text === undefined) {
      failures.push({ name, error: new CredstashError('USAGE', 'it is not UTF-8 text') });
    } else {
      pairs.push([name, text]);
    }
  }
  if (failures.length === 0) return pairs;
  throw combineFailures(
    `${format} cannot hold ${failures.length} of the secrets`,
    failures,
    'json and yaml can; or get such a secret with `output: "FILE"`',
  );
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

/**
 * Renames pairs to a format's variables, and refuses those that the format cannot hold.
 *
 * @param rules.rename makes the variable of a name; default: the name itself
 * @param rules.refuse returns why the format cannot hold a variable or value, as text or error; undefined if it can
 * @throws CredstashError USAGE, naming each secret that is refused, or whose variable another secret has too
 */
export function toVariables<Value>(
  format: string,
  pairs: readonly (readonly [name: string, value: Value])[],
  rules: {
    readonly rename?: ((name: string) => string) | undefined;
    readonly refuse: (variable: string, value: Value) => string | CredstashError | undefined;
  },
): [variable: string, value: Value][] {
  const { rename = (name: string): string => name, refuse } = rules;
  const failures: Failure[] = [];
  const taken = new Map<string, string>();
  const renamed = pairs.map(([name, value]): [string, Value] => {
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
    return [variable, value];
  });
  if (failures.length === 0) return renamed;
  throw combineFailures(
    `${format} cannot hold ${failures.length} of the secrets`,
    failures,
    `json and yaml can; or choose other secrets with \`get("GLOB", { format: ${quote(format)} })\``,
  );
}
