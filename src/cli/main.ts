import { type Command, CommanderError, Option } from 'commander';
import manifest from '../../package.json' with { type: 'json' };
import { ChangesError, CredstashError, serviceMessages, worstFirst } from '../errors.ts';
import { hintOfFault } from '../util/system-faults.ts';
import { checkUtf8, Grammar, takesValueBehindEquals } from './argparse.ts';
import type { Log } from './files/log-file.ts';
import { Io } from './terminal/io.ts';
import { findRuntimeDanger } from './runtime.ts';
import type { GlobalOptions } from './options/settings.ts';
import { hintOfSystem } from './system-hint.ts';

/** The commands. Each is loaded where a command line names it: help and the version do without. */
const COMMANDS: Readonly<Record<string, { summary?: string; load: () => Promise<CommandModule> }>> =
  {
    setup: {
      summary: 'create the table, or the vault',
      load: () => import('./commands/setup.ts'),
    },
    put: { summary: 'store a secret', load: () => import('./commands/put.ts') },
    putall: { summary: 'store several secrets', load: () => import('./commands/putall.ts') },
    get: {
      summary: 'print a secret, or those whose name matches',
      load: () => import('./commands/get.ts'),
    },
    getall: { summary: 'print all secrets', load: () => import('./commands/getall.ts') },
    render: { summary: 'fill secrets into a template', load: () => import('./commands/render.ts') },
    list: { summary: 'list secrets and their versions', load: () => import('./commands/list.ts') },
    keys: { summary: 'list the names of secrets', load: () => import('./commands/keys.ts') },
    history: {
      summary: 'list the versions of a secret',
      load: () => import('./commands/history.ts'),
    },
    rollback: {
      summary: 'store the value of an older version as a new one',
      load: () => import('./commands/rollback.ts'),
    },
    label: {
      summary: 'set a label on a version, or move it there',
      load: () => import('./commands/label.ts'),
    },
    unlabel: { summary: 'take a label away', load: () => import('./commands/unlabel.ts') },
    delete: { summary: 'delete a secret', load: () => import('./commands/delete.ts') },
    prune: { summary: 'delete old versions', load: () => import('./commands/prune.ts') },
    rekey: {
      summary: 'move secrets to another KMS key',
      load: () => import('./commands/rekey.ts'),
    },
    migrate: {
      summary: 'seal original entries in the current format, or back',
      load: () => import('./commands/migrate.ts'),
    },
    copy: {
      summary: 'copy secrets to another table or vault',
      load: () => import('./commands/copy.ts'),
    },
    exec: {
      summary: 'run a command with secrets in its environment',
      load: () => import('./commands/exec.ts'),
    },
    doctor: {
      summary: 'look at all that it takes to work, and say what is wrong',
      load: () => import('./commands/doctor.ts'),
    },
    policy: {
      summary: 'print the least-privilege IAM policy of a role',
      load: () => import('./commands/policy.ts'),
    },
    completion: {
      summary: 'print the script that completes command lines',
      load: () => import('./commands/completion.ts'),
    },
    // For those scripts.
    __complete: { load: () => import('./commands/complete.ts') },
  };

/** The commands that change nothing, and those that go on with the rest when they are run again. */
const READERS = ['get', 'getall', 'render', 'list', 'keys', 'history', 'doctor', 'policy'];
const RESUMED = ['rekey', 'migrate', 'copy', 'prune'];

interface CommandModule {
  readonly register: (command: Grammar, io: Io, output: Output) => void;
}

/** Python's names, which the original takes. What is logged is errors, and with debug where they came from. */
const LOG_LEVELS = ['notset', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'critical'];

/**
 * Runs one command line.
 *
 * @param argv the arguments, without the interpreter and the script
 * @returns the exit status
 */
export async function main(argv: readonly string[], io = new Io()): Promise<number> {
  const output = { help: '', error: '', status: 0 };
  let log: Log | undefined;
  let debug: boolean | undefined;
  let program: Grammar | undefined;
  let giveUp: (error: unknown) => void = () => undefined;
  const overdue = new Promise<never>((_, reject) => {
    giveUp = reject;
  });
  try {
    checkUtf8(argv);
    program = await createProgram(io, output, argv);
    program.hook('preAction', async (_, command) => {
      // Loaded with the command: help and the version do without.
      const { forgetConfig, optionsOf } = await import('./options/settings.ts');
      forgetConfig();
      const { logFile, logLevel, quiet, timeout } = optionsOf(command) as GlobalOptions;
      io.status.quiet = quiet ?? false;
      // Completion has a limit of its own, and tells nobody what is wrong.
      if (command.name() !== '__complete' && (timeout ?? process.env['CREDSTASH_TIMEOUT'])) {
        const { Deadline, findTimeLimit } = await import('./options/deadline.ts');
        const limit = findTimeLimit(timeout);
        if (limit) io.deadline = new Deadline(limit, hintOfTimeout(command.name()));
        io.deadline?.passed.catch(giveUp);
      }
      debug = logLevel === 'debug';
      // doctor tells it as one of its checks.
      const danger = command.name() === 'doctor' ? undefined : findRuntimeDanger();
      if (danger) throw danger;
      if (logFile !== undefined) log = await openLog(logFile, logLevel);
    });
    await Promise.race([program.parseAsync(argv, { from: 'user' }), overdue]);
    return output.status;
  } catch (error) {
    // Help and version end in an error of commander's too. No command at all gets help, as in the original.
    const unasked =
      output.help === '' && error instanceof CommanderError && error.code === 'commander.help';
    // `help` of what is no command ends as no command does.
    const [, unknown] = unasked ? (program?.args ?? []) : [];
    if (unknown !== undefined) {
      const message = `unknown command '${unknown}'`;
      const failure = new CommanderError(1, 'commander.unknownCommand', message);
      return report(failure, argv, io, { log, debug });
    }
    const help = output.help || (unasked ? output.error : '');
    if (error instanceof CommanderError && help !== '') {
      await io.write(help);
      return 0;
    }
    return report(error, argv, io, { log, debug });
  } finally {
    io.status.erase();
    io.deadline?.stop();
  }
}

/** What became of the work of a command whose time is over. */
function hintOfTimeout(name: string): string {
  if (name === 'exec') return 'COMMAND was not run; --timeout gives more time';
  if (RESUMED.includes(name)) return '--timeout gives more time';
  if (READERS.includes(name)) {
    return '--timeout gives more time; credstash doctor looks for the cause';
  }
  return 'what was done before stays done, and what was under way may be done too: credstash list shows it';
}

async function openLog(path: string, level: string | undefined): Promise<Log | undefined> {
  if (path === '') throw new CredstashError('USAGE', 'the value of --log-file is empty');
  if (path === '-') {
    throw new CredstashError('USAGE', '--log-file takes a file, and - is none', {
      hint: 'errors are on stderr without it; a file that is called - is ./-',
    });
  }
  if (level === 'critical' || level === 'fatal') return undefined;
  const { expandHome } = await import('./options/settings.ts');
  return (await import('./files/log-file.ts')).openLogFile(expandHome(path));
}

/** What a command line gives besides what it prints. */
export interface Output {
  /** What help and version print, asked for. */
  help: string;
  /** The same, not asked for. */
  error: string;
  /** The exit status of a command that succeeded: that of the program which it ran. */
  status: number;
}

/**
 * The command line's grammar.
 *
 * @param argv what is to be parsed: of a command that it does not name, no more than the name is known
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
      // There are none, and asking takes the streams of Node.js, which take long to load.
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
    // After get, -n is no newline, as it always was.
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
        .argParser(logLevel),
    )
    .option('--log-file <file>', 'add errors, and where they came from, to FILE (default: none)')
    // Without a short form: a VALUE such as '-q x' has always been one.
    .option('--quiet', 'show neither progress nor waits; errors and warnings stay')
    .option(
      '--timeout <duration>',
      'end with exit status 7 if it takes longer than 30s, 2m, … (or CREDSTASH_TIMEOUT)',
    );
}

function logLevel(level: string): string {
  if (LOG_LEVELS.includes(level.toLowerCase())) return level.toLowerCase();
  throw new CredstashError('USAGE', `the log level is one of ${LOG_LEVELS.join(', ')}`);
}

/** Prints an error, writes it to the log if there is one, and gives its exit status. */
export function report(
  error: unknown,
  argv: readonly string[],
  io: Io,
  options: { readonly log?: Log | undefined; readonly debug?: boolean | undefined } = {},
): number {
  const failure = toCredstashError(error, argv);
  const origin: string[] = [];
  for (const each of [failure, ...failure.failures.map((one) => one.error)]) {
    for (let at: unknown = each; at instanceof Error; at = at.cause) {
      for (const line of stackOf(at)) origin.push(`debug: ${line}`);
    }
  }
  const limit = failure instanceof ChangesError ? MAX_FAILURES_SHOWN : Infinity;
  if (failure.code !== 'INTERRUPTED') {
    for (const line of describeFailure(failure, limit)) io.note(`credstash: ${line}`);
  }
  // Where the command line could not be taken apart, what stands there has to do.
  if (options.debug ?? debugging(argv)) for (const line of origin) io.note(`credstash: ${line}`);
  options.log?.([...describeFailure(failure, Infinity), ...origin]);
  return failure.exitStatus;
}

/** How many failures of a change of many entries are printed. A log file gets all of them. */
const MAX_FAILURES_SHOWN = 20;

function describeFailure(failure: CredstashError, limit: number): string[] {
  const hint = hintOfSystem(failure) ?? failure.hint;
  const left = Math.max(0, failure.failures.length - limit);
  // Of a list that is cut the worst are shown: whoever writes to a table must not hide them behind others.
  const shown = left === 0 ? failure.failures : worstFirst(failure.failures).slice(0, limit);
  return [
    `error: ${failure.message}`,
    ...shown.map(({ name, error }) => `error: ${name}: ${error.message}`),
    ...(left === 0 ? [] : [`error: and ${left} more: --log-file FILE takes all`]),
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
    ...[...serviceMessages([failure, ...shown.map(({ error }) => error)])].map(
      (words) => `service says: ${words}`,
    ),
  ];
}

/** The lines of a stack, of which the first has the whole message: it may have line breaks, which make no line here. */
function stackOf({ message, stack = '' }: Error): string[] {
  const at = stack.indexOf(message);
  const end = at === -1 ? 0 : at + message.length;
  const [rest = '', ...frames] = stack.slice(end).split('\n');
  return [`${stack.slice(0, end)}${rest}`, ...frames];
}

/** `error` as one of the family, with a message that quotes neither a secret nor what may be one. */
function toCredstashError(error: unknown, argv: readonly string[]): CredstashError {
  if (error instanceof CredstashError) return error;
  if (error instanceof CommanderError) return usageError(error, argv);
  if (hintOfFault(error) !== undefined) {
    const { code } = error as NodeJS.ErrnoException;
    return new CredstashError(
      'IO',
      `the system refused to open a file, or to start a program (${code})`,
      {
        cause: error,
      },
    );
  }
  // Nobody chose this message, so nobody made sure what stands in it, nor in the name that a library gave it: what can
  // be no name of an error and no line of a stack is left out.
  const cause = new Error();
  const name =
    error instanceof Error && /^[A-Za-z]{1,60}$/.test(error.name) ? error.name : typeof error;
  if (error instanceof Error) {
    // Without the message first: it may have lines that look like those of a stack.
    const lines = (error.stack ?? '').replace(error.message, () => '').split('\n');
    cause.stack = [name, ...lines.filter((line) => /^ {4}at .+:\d+:\d+\)?$/.test(line))].join('\n');
  }
  return new CredstashError('UNEXPECTED', `unexpected failure (${name})`, {
    hint: 'run it again with --log-level debug, and report what it prints',
    cause,
  });
}

function usageError(error: CommanderError, argv: readonly string[]): CredstashError {
  // commander quotes an option that it does not know: that may be a secret that begins with a dash.
  const writer = ['put', 'putall'].find((command) => argv.includes(command));
  if (error.code === 'commander.unknownOption' && writer !== undefined) {
    return new CredstashError('USAGE', `${writer} does not know one of the options given`, {
      hint: `a value that begins with - stands behind --, or comes on stdin; see credstash ${writer} --help`,
    });
  }
  const command = argv.find((arg) => arg in COMMANDS);
  if (error.code === 'commander.unknownOption' && command === 'exec' && !argv.includes('--')) {
    return new CredstashError('USAGE', 'exec does not know one of the options given', {
      hint: 'the command to run and its options stand behind --: credstash exec GLOB -- COMMAND [ARG…]',
    });
  }
  // Of an option that nobody knows its name alone: its value may be meant for --default, or be a password of another program.
  const said =
    error.code === 'commander.unknownOption'
      ? error.message.replace(/=[^]*/, "'").replace(/'(-[^-])[^]*'/, "'$1'")
      : error.message;
  const [message = ''] = said.replace(/^error: /, '').split('\n');
  return new CredstashError('USAGE', message, {
    hint: `see credstash ${command === undefined ? '' : `${command} `}--help`,
  });
}

function debugging(argv: readonly string[]): boolean {
  return argv.some(
    (arg, i) =>
      /^(--log-level=)?debug$/i.test(arg) && (arg.includes('=') || argv[i - 1] === '--log-level'),
  );
}
