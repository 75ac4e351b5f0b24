import { existsSync } from 'node:fs';
import type { Option } from 'commander';
import { CredstashError } from '../../errors.ts';
import { toVariableName } from '../../format/env-name.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { ReservedVariable } from '../../model/variable-names.ts';
import { findLiteralPrefix } from '../../model/glob.ts';
import { isReference, SCHEME } from '../../model/reference.ts';
import { shellWord } from '../../util/shell-word.ts';
import type { Grammar } from '../argparse.ts';
import { defineOptions, type OptionValues } from './define.ts';

/** The options of the commands that make variables of secrets. */
export const VARIABLE_OPTIONS = defineOptions({
  prefix: {
    flags: '--prefix <prefix>',
    description: 'put PREFIX before every variable',
    parse: checkPrefix,
  },
  allowName: {
    flags: '--allow-name <variable>',
    description: 'set VARIABLE although it decides what runs, or who runs it; can be repeated',
    repeatable: true,
  },
});

export interface VariableOptions extends OptionValues<typeof VARIABLE_OPTIONS> {
  /** Whether variables have the secrets' whole names: exec's --full-names, or an export without --strip-prefix. */
  readonly fullNames?: true;
}

/** Checks that a prefix can begin a variable. @throws CredstashError USAGE */
function checkPrefix(prefix: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(prefix)) return prefix;
  throw new CredstashError('USAGE', 'the value of --prefix cannot begin a variable', {
    hint: 'write letters, digits and _, and no digit first, such as --prefix DB_',
  });
}

/** The prefixes that a hint tries after the GLOB's own. */
const PREFIXES = ['APP_', 'SECRET_'];

/** The most variables that a hint names. */
const NAMED = 3;

/** The parts of a command line that the hint about a reserved variable needs. */
interface Request {
  /** The GLOBs of exec, which also has --env and --full-names; undefined for an export. */
  readonly globs?: readonly string[];
  /** The GLOB whose prefix an export takes off the names. */
  readonly strippedGlob?: string | undefined;
  /** The value of exec's --label. */
  readonly label?: string | undefined;
}

/**
 * Calls `build` with the options for the names of variables, and returns its result.
 *
 * @throws CredstashError the errors of `build`. If it refuses a reserved variable, the hint shows the options that help. Each
 *   was tried with `build`.
 */
export function buildVariables<Built>(
  command: Grammar,
  options: VariableOptions,
  request: Request,
  build: (names: VariableOptions) => Built,
): Built {
  try {
    return build(options);
  } catch (error) {
    if (!(error instanceof CredstashError)) throw error;
    const refused = listReserved(error);
    if (refused.length === 0) throw error;
    const attempt = (names: VariableOptions): unknown => {
      try {
        build({ ...options, ...names });
        return undefined;
      } catch (error) {
        return error;
      }
    };
    const works = (names: VariableOptions): boolean => attempt(names) === undefined;
    const { globs, strippedGlob, label } = request;
    const forEach = (list: readonly Reserved[], word: (one: Reserved) => string): string =>
      `${list.slice(0, NAMED).map(word).join(' ')}${list.length > NAMED ? ' …' : ''}`;
    const ways: string[] = [];
    if (globs !== undefined) {
      if (works({ fullNames: true })) ways.push('--full-names keeps whole names');
      const env = forEach(
        refused,
        ({ name, field, variable }) =>
          `--env ${quoteWord(`${variable}=${formatReference(name, label, field)}`)}`,
      );
      ways.push(`${env} is literal`);
    } else if (strippedGlob !== undefined && works({ fullNames: true })) {
      ways.push('names stay whole without --strip-prefix');
    }
    // Some variables are refused even so, such as those that fish does not let a script set.
    const allowName = [...(options.allowName ?? []), ...refused.map(({ variable }) => variable)];
    const still = listReserved(attempt({ allowName })).map(({ variable }) => variable);
    const allowed = refused.filter(({ variable }) => !still.includes(variable));
    if (allowed.length > 0) {
      const words = forEach(allowed, ({ variable }) => `--allow-name ${quoteWord(variable)}`);
      ways.push(`${words} allows it`);
    }
    const prefixes = [
      ...(globs ?? (strippedGlob === undefined ? [] : [strippedGlob])).map((glob) =>
        toVariableName(findLiteralPrefix(glob)),
      ),
      ...PREFIXES,
    ];
    const prefix = prefixes.find((each) => each !== '' && works({ prefix: each }));
    const line = prefix === undefined ? undefined : lineWithPrefix(command, prefix);
    ways.push(
      line === undefined
        ? '--prefix PREFIX puts a prefix before every variable'
        : `with a prefix before every variable: ${line}`,
    );
    throw error.reworded(error.message, ways.join('; '));
  }
}

/** A secret whose variable is reserved. */
interface Reserved {
  readonly name: string;
  /** Its field, if the variable is called after one. */
  readonly field: string | undefined;
  readonly variable: string;
}

function listReserved(error: unknown): Reserved[] {
  if (!(error instanceof CredstashError)) return [];
  return error.failures.flatMap(({ name, error }) =>
    error instanceof ReservedVariable
      ? [{ name, variable: error.variable, field: undefined, ...error.source }]
      : [],
  );
}

/** Formats a secret's name, and its field, as the value of --env. */
function formatReference(
  name: string,
  label: string | undefined,
  field: string | undefined,
): string {
  const special = /[%?&=#|{}\s\p{Cc}]/gu;
  const encoded = name.replace(special, encodeURIComponent);
  const query = label === undefined ? '' : `?label=${label.replace(special, encodeURIComponent)}`;
  const fragment = field === undefined ? '' : `#${field.replace(special, encodeURIComponent)}`;
  return `${isReference(encoded) ? SCHEME : ''}${encoded}${query}${fragment}`;
}

/**
 * Repeats the typed command line with `prefix` added. Replaces values of the encryption context, and arguments that may be a
 * password of the program that exec runs, because the hint may end up in a log.
 *
 * @returns undefined if a word contains characters that cannot be shown
 */
function lineWithPrefix(command: Grammar, prefix: string): string | undefined {
  const program = command.parent as Grammar;
  const { typed } = program;
  const dashes = typed.indexOf('--');
  const own = dashes === -1 ? typed : typed.slice(0, dashes);
  const behind = dashes === -1 ? [] : typed.slice(dashes + 1);
  const awaits = (word = ''): Option | undefined => command.awaits(word) ?? program.awaits(word);
  const shown = own.flatMap((word, i) => {
    const option = awaits(own[i - 1])?.long ?? /^--[^=]+(?==)/.exec(word)?.[0];
    if (option === '--prefix' || awaits(word)?.long === '--prefix') return [];
    if (option === '--default') return ['…'];
    if (option === '--env' || option === '--fields')
      return [quoteWord(word.replace(/\?[^]*/, '?…'))];
    return [option === undefined ? showOperand(word) : quoteWord(word)];
  });
  const [name, ...args] = command.commandLine;
  const rest =
    name === undefined ? behind.map(showOperand) : [quoteWord(name), ...args.map(showArgument)];
  const dashed = dashes === -1 ? [] : ['--', ...rest];
  const line = ['credstash', ...shown, '--prefix', prefix, ...dashed].join(' ');
  return escapeUnseen(line) === line ? line : undefined;
}

/** Shows a name, a GLOB, or the key of a pair of the encryption context. */
function showOperand(word: string): string {
  const equals = word.startsWith('-') ? -1 : word.indexOf('=');
  return equals === -1 ? quoteWord(word) : `${quoteWord(word.slice(0, equals))}=…`;
}

/** Shows an argument of exec's program if it cannot be a password: the name of an option, or an existing file. */
function showArgument(word: string): string {
  const isOption = /^(?:-[A-Za-z0-9]|--[A-Za-z][-A-Za-z]*)$/.test(word);
  return isOption || (/[./]/.test(word) && existsSync(word)) ? quoteWord(word) : '…';
}

/** Quotes a word for the shell if it needs quotes. */
function quoteWord(word: string): string {
  return /^[\w@%+:,./-][\w@%+:,./=-]*$/.test(word) ? word : shellWord(word);
}
