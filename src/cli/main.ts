import { Command, CommanderError } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { CredstashError } from '../errors.ts';
import { registerDelete } from './commands/delete.ts';
import { registerGet } from './commands/get.ts';
import { registerList } from './commands/list.ts';
import { registerPut } from './commands/put.ts';
import { registerSetup } from './commands/setup.ts';
import { Io } from './io.ts';

const COMMANDS = [registerSetup, registerPut, registerGet, registerList, registerDelete];

const LOG_LEVELS = ['debug', 'info', 'warning', 'error', 'critical'];

/**
 * Runs one command line.
 *
 * @param argv the arguments, without the interpreter and the script
 * @returns the exit status
 */
export async function main(argv: readonly string[], io = new Io()): Promise<number> {
  const output = { help: '', error: '' };
  try {
    checkUtf8(argv);
    await createProgram(io, output).parseAsync(withLocalAttached(argv), { from: 'user' });
    return 0;
  } catch (error) {
    // Help and version end in an error of commander's too. An empty command line gets help, as in the original.
    const help = argv.length === 0 ? output.error : output.help;
    if (error instanceof CommanderError && help !== '') {
      await io.write(help);
      return 0;
    }
    return report(error, argv, io);
  }
}

/** The command line's grammar. @param output takes what help and version print, asked for and not */
function createProgram(io: Io, output: { help: string; error: string }): Command {
  const program = new Command('credstash')
    .description('Secrets in DynamoDB, sealed with KMS data keys, or in a local vault.')
    .version(manifest.version)
    .enablePositionalOptions()
    .configureHelp({
      subcommandTerm: (command) => command.name(),
      optionTerm: (option) => option.flags.replace(' [', '[='),
    })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        output.help += text;
      },
      writeErr: (text) => {
        output.error += text;
      },
      outputError: () => undefined,
    })
    .addHelpText(
      'after',
      '\nExamples:\n  credstash --local put db.password\n  credstash --local get db.password',
    );
  for (const register of COMMANDS) register(program, io);
  // Last, so that a command's own options come first in its help.
  for (const command of [program, ...program.commands]) addGlobalOptions(command);
  return program;
}

function addGlobalOptions(command: Command): void {
  const isProgram = command.parent === null;
  if (!isProgram) command.optionsGroup('Global options:');
  command
    .option(
      '-r, --region <region>',
      'AWS region (default: AWS_REGION, AWS_DEFAULT_REGION, the profile, us-east-1)',
    )
    .option('--kms-region <region>', 'AWS region of the KMS key (default: the same)')
    .option(
      '-t, --table <table>',
      'DynamoDB table, name or ARN (default: CREDSTASH_DEFAULT_TABLE, credential-store)',
    )
    .option('-p, --profile <profile>', "profile of AWS's configuration files")
    // After get, -n is no newline, as it always was.
    .option(
      command.name() === 'get' ? '--arn <role>' : '-n, --arn <role>',
      'ARN of an IAM role to assume',
    )
    .option(
      '--local [folder]',
      'use the local vault, in FOLDER if given as --local=FOLDER (or CREDSTASH_LOCAL)',
    )
    .option('--log-level <level>', 'debug shows where an error came from', logLevel);
}

function logLevel(level: string): string {
  if (LOG_LEVELS.includes(level.toLowerCase())) return level.toLowerCase();
  throw new CredstashError('USAGE', `the log level is one of ${LOG_LEVELS.join(', ')}`);
}

/**
 * `--local` takes its folder only behind a `=`. commander would take the next word, which is the command.
 */
function withLocalAttached(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((arg, i) => (arg === '--local' && (end === -1 || i < end) ? '--local=1' : arg));
}

/** Node.js reads arguments as UTF-8 and puts U+FFFD for what is none: another text than the one that was given. */
function checkUtf8(argv: readonly string[]): void {
  const at = argv.findIndex((arg) => arg.includes('\ufffd'));
  if (at !== -1) {
    throw new CredstashError('USAGE', `argument ${at + 1} is not valid UTF-8`, {
      hint: 'give a secret of other bytes on stdin, or as @FILE',
    });
  }
}

/** Prints an error, and gives its exit status. */
export function report(error: unknown, argv: readonly string[], io: Io): number {
  const failure = familiar(error, argv);
  if (failure.code !== 'INTERRUPTED') {
    io.note(`credstash: error: ${failure.message}`);
    if (failure.hint !== undefined) io.note(`credstash: hint: ${failure.hint}`);
  }
  if (debugging(argv)) {
    for (let at: unknown = failure; at instanceof Error; at = at.cause) {
      for (const line of (at.stack ?? '').split('\n')) io.note(`credstash: debug: ${line}`);
    }
  }
  return failure.exitStatus;
}

/** `error` as one of the family, with a message that quotes neither a secret nor what may be one. */
function familiar(error: unknown, argv: readonly string[]): CredstashError {
  if (error instanceof CredstashError) return error;
  if (error instanceof CommanderError) return usageError(error, argv);
  // Nobody chose this message, so nobody made sure what stands in it: the stack's lines have to do.
  const cause = new Error();
  if (error instanceof Error) {
    cause.stack = `${error.name}\n${(error.stack ?? '')
      .split('\n')
      .filter((line) => /^\s+at /.test(line))
      .join('\n')}`;
  }
  return new CredstashError(
    'UNEXPECTED',
    `unexpected failure (${error instanceof Error ? error.name : typeof error})`,
    {
      hint: 'run it again with --log-level debug, and report what it prints',
      cause,
    },
  );
}

function usageError(error: CommanderError, argv: readonly string[]): CredstashError {
  // commander quotes an option that it does not know: that may be a secret that begins with a dash.
  if (error.code === 'commander.unknownOption' && argv.includes('put')) {
    return new CredstashError('USAGE', 'put does not know one of the options given', {
      hint: 'a value that begins with - stands behind --, or comes on stdin; see credstash put --help',
    });
  }
  if (error.code === 'commander.help') {
    return new CredstashError('USAGE', 'no command was given', { hint: 'see credstash --help' });
  }
  const [message = ''] = error.message.replace(/^error: /, '').split('\n');
  return new CredstashError('USAGE', message, { hint: 'see credstash --help' });
}

function debugging(argv: readonly string[]): boolean {
  return argv.some(
    (arg, i) =>
      /^(--log-level=)?debug$/i.test(arg) && (arg.includes('=') || argv[i - 1] === '--log-level'),
  );
}
