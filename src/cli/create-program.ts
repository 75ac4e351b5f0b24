import { type Command, Option } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { CredstashError } from '../errors.ts';
import { Grammar, takesValueBehindEquals } from './argparse.ts';
import { COMMANDS, type Output } from './commands/index.ts';
import type { Io } from './terminal/io.ts';

/** Python's names, which the original takes. Errors are logged, and at `debug` their stacks. */
const LOG_LEVELS = ['notset', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'critical'];

/**
 * Makes the grammar of the command line. Only the commands that `argv` names are loaded; of the others the grammar has the
 * name and the summary.
 */
export async function createProgram(
  io: Io,
  output: Output,
  argv: readonly string[],
): Promise<Grammar> {
  const program = new Grammar('credstash')
    .description('Secrets in DynamoDB, sealed with KMS data keys, or in a local vault.')
    .version(manifest.version)
    .enablePositionalOptions()
    .configureHelp({
      subcommandTerm: (command) => command.name(),
      optionTerm: (option) =>
        takesValueBehindEquals(option) ? option.flags.replace(' [', '[=') : option.flags,
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
      // Avoids loading process.stdout, which is slow to start.
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => io.columns('stdout') ?? 80,
      getErrHelpWidth: () => io.columns('stderr') ?? 80,
    })
    .addHelpText(
      'after',
      '\nExamples:\n  credstash --local put db.password\n  credstash --local get db.password',
    );
  const completing = argv.includes('__complete');
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const command = new Grammar(name).summary(summary ?? '').copyInheritedSettings(program);
    program.addCommand(command, { hidden: summary === undefined });
    if (!completing && !argv.includes(name)) continue;
    (await load()).register(command, io, output);
    // Last, so that a command's own options come first in its help.
    addGlobalOptions(command);
  }
  addGlobalOptions(program);
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
    // After get, -n means no newline, as in the original.
    .option(
      command.name() === 'get' ? '--arn <role>' : '-n, --arn <role>',
      'ARN of an IAM role to assume',
    )
    .option('--external-id <id>', 'external ID that the trust policy of the role asks for')
    .option(
      '--local [folder]',
      'use the local vault, in FOLDER if given as --local=FOLDER (or CREDSTASH_LOCAL)',
    )
    .addOption(
      new Option('--log-level <level>', 'debug shows where an error came from')
        .choices(LOG_LEVELS)
        .argParser(parseLogLevel),
    )
    .option('--log-file <file>', 'add errors, and where they came from, to FILE (default: none)')
    // Without a short form: a VALUE such as '-q x' has always been one.
    .option('--quiet', 'show neither progress nor waits; errors and warnings stay')
    .option(
      '--timeout <duration>',
      'end with exit status 7 if it takes longer than 30s, 2m, … (or CREDSTASH_TIMEOUT)',
    );
}

function parseLogLevel(level: string): string {
  if (LOG_LEVELS.includes(level.toLowerCase())) return level.toLowerCase();
  throw new CredstashError('USAGE', `the log level is one of ${LOG_LEVELS.join(', ')}`);
}
