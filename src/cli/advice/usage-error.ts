import type { CommanderError } from 'commander';
import { CredstashError } from '../../errors.ts';
import type { Command } from '../command.ts';
import { COMMANDS } from '../commands/index.ts';
import { usageLines } from '../help/page.ts';
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { didYouMean } from '../../util/near-name.ts';
import { hintAtExpansion, hintAtLocalFolder } from './expansion.ts';
import { hintAtCommand } from './synonyms.ts';

/**
 * Translates an error of commander into the project's.
 *
 * @param argv the command line. The error quotes nothing of it that may be a secret.
 */
export async function toUsageError(
  error: CommanderError,
  argv: readonly string[],
): Promise<CredstashError> {
  const name = argv.find((arg) => Object.hasOwn(COMMANDS, arg));
  const command = name === undefined ? undefined : (await COMMANDS[name]?.())?.command;
  const [first = ''] = error.message.replace(/^error: /, '').split('\n');
  const help = `see credstash ${name === undefined ? '' : `${name} `}--help`;
  const usage = command === undefined ? help : `${usageLines(command).join(', or ')}; ${help}`;
  const fail = (message: string, hint = help): CredstashError =>
    new CredstashError('USAGE', message, { hint });
  switch (error.code) {
    case 'commander.unknownOption':
      return explainUnknownOption(first, argv, command, help);
    case 'commander.unknownCommand': {
      const [, typed = ''] = /^unknown command '([^]*)'$/.exec(first) ?? [];
      const commands = Object.keys(COMMANDS);
      const hint = hintAtLocalFolder(argv, commands) ?? hintAtCommand(typed, commands);
      return fail(first, hint ?? 'see credstash --help');
    }
    case 'commander.missingArgument': {
      const [, argument = ''] = /'(.*)'/.exec(first) ?? [];
      return fail(`missing ${argument.toUpperCase()}`, usage);
    }
    case 'commander.optionMissingArgument': {
      const [, flags = ''] = /^option '(.*)' argument missing$/.exec(first) ?? [];
      return fail(`the value of ${namesOf(flags)} is missing`);
    }
    case 'commander.missingMandatoryOptionValue': {
      const [, flags = ''] = /^required option '(.*)' not specified$/.exec(first) ?? [];
      return fail(`missing ${upperCaseValue(flags)}`, usage);
    }
    case 'commander.excessArguments': {
      const [, takes = '', given = ''] =
        /Expected (\d+) arguments? but got (\d+)/.exec(first) ?? [];
      const operands = argv.filter((arg) => arg !== name && !arg.startsWith('-'));
      return fail(
        `too many arguments: ${name ?? 'credstash'} takes ${takes}, not ${given}`,
        hintAtLocalFolder(argv, Object.keys(COMMANDS)) ?? hintAtExpansion(operands) ?? usage,
      );
    }
    case 'commander.invalidArgument':
      return explainChoice(first, help);
    default:
      return fail(first);
  }
}

function explainUnknownOption(
  said: string,
  argv: readonly string[],
  command: Command | undefined,
  help: string,
): CredstashError {
  const name = command?.name;
  const [, typed = ''] = /'([^]*)'/.exec(said) ?? [];
  // Only the name of an option is quoted: its value may be meant for --default, or be a password of another program.
  const option = typed.replace(/=[^]*/, '').replace(/^(-[^-])[^]*/, '$1');
  const flags = Object.values({ ...command?.options, ...GLOBAL_OPTIONS }).flatMap(({ flags }) =>
    flags.split(/[ ,]+/).filter((word) => word.startsWith('--')),
  );
  const near = option.startsWith('--') ? didYouMean(option, [...flags, '--help']) : undefined;
  // An unknown word may be a secret that begins with a dash.
  if (name === 'put' || name === 'putall') {
    const hint = `put -- before a value that begins with -, or give it on stdin; see credstash ${name} --help`;
    return new CredstashError('USAGE', `${name} does not know one of the options given`, {
      hint: near === undefined ? hint : `${near} ${hint}`,
    });
  }
  if (name === 'exec' && !argv.includes('--')) {
    return new CredstashError('USAGE', 'exec does not know one of the options given', {
      hint: `${near === undefined ? '' : `${near} `}put -- before the command to run: credstash exec GLOB -- COMMAND [ARG…]`,
    });
  }
  if (name === 'getall' && option === '--strip-prefix') {
    return new CredstashError('USAGE', 'getall has no GLOB whose prefix could be left out', {
      hint: "name it: credstash get 'PREFIX*' -f FORMAT --strip-prefix",
    });
  }
  return new CredstashError('USAGE', `unknown option '${option}'`, {
    hint: near === undefined ? help : `${near} ${help}`,
  });
}

/** Explains a value that is not one of an option's or an argument's choices. */
function explainChoice(said: string, help: string): CredstashError {
  const option = /^option '(.*)' argument '([^]*)' is invalid\. Allowed choices are (.*)\.$/;
  const argument =
    /^command-argument value '([^]*)' is invalid for argument '(.*)'\. Allowed choices are (.*)\.$/;
  const [, flags = '', value = '', of = ''] = option.exec(said) ?? [];
  const [, typed = value, name = '', among = of] = argument.exec(said) ?? [];
  const what = name === '' ? namesOf(flags) : name.toUpperCase();
  if (what === '') return new CredstashError('USAGE', said, { hint: help });
  return new CredstashError('USAGE', `${what} is one of ${among}, not '${typed}'`, {
    hint: didYouMean(typed, among.split(', ')) ?? help,
  });
}

/** `-f, --format` of `-f, --format <format>`. */
function namesOf(flags: string): string {
  return flags.replace(/ [<[].*/, '');
}

/** `--keep N` of `--keep <n>`. */
function upperCaseValue(flags: string): string {
  return flags.replace(/<(.*)>/, (_, value: string) => value.toUpperCase());
}
