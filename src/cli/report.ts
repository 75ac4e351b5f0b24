import { ChangesError, CredstashError, serviceMessages, worstFirst } from '../errors.ts';
import { findFaultHint } from '../util/system-faults.ts';
import { phraseHint } from './advice/phrase.ts';
import { hintOfSystem } from './advice/system-hint.ts';
import type { Log } from './files/log-file.ts';
import type { Io } from './terminal/io.ts';

/** Prints an error, writes it to the log if there is one, and gives its exit status. */
export function report(
  error: unknown,
  argv: readonly string[],
  io: Io,
  options: { readonly log?: Log | undefined; readonly debug?: boolean | undefined } = {},
): number {
  const failure = toCredstashError(error);
  const origin: string[] = [];
  for (const each of [failure, ...failure.failures.map((one) => one.error)]) {
    for (let at: unknown = each; at instanceof Error; at = at.cause) {
      for (const line of stackLines(at)) origin.push(`debug: ${line}`);
    }
  }
  const limit = failure instanceof ChangesError ? MAX_FAILURES_SHOWN : Infinity;
  if (failure.code !== 'INTERRUPTED') {
    for (const line of describeFailure(failure, limit)) io.note(`credstash: ${line}`);
  }
  // If the command line could not be parsed, its words decide.
  if (options.debug ?? asksForDebug(argv)) for (const line of origin) io.note(`credstash: ${line}`);
  options.log?.([...describeFailure(failure, Infinity), ...origin]);
  return failure.exitStatus;
}

/** How many failures of a change of many entries are printed. A log file gets all of them. */
const MAX_FAILURES_SHOWN = 20;

function describeFailure(failure: CredstashError, limit: number): string[] {
  const found = hintOfSystem(failure) ?? failure.hint;
  const hint = found === undefined ? undefined : phraseHint(found);
  const left = Math.max(0, failure.failures.length - limit);
  // A shortened list shows the worst failures: somebody who writes to a table must not hide them behind others.
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
function stackLines({ message, stack = '' }: Error): string[] {
  const at = stack.indexOf(message);
  const end = at === -1 ? 0 : at + message.length;
  const [rest = '', ...frames] = stack.slice(end).split('\n');
  return [`${stack.slice(0, end)}${rest}`, ...frames];
}

/** `error` as one of the family, with a message that quotes neither a secret nor what may be one. */
function toCredstashError(error: unknown): CredstashError {
  if (error instanceof CredstashError) return error;
  if (findFaultHint(error) !== undefined) {
    const { code } = error as NodeJS.ErrnoException;
    return new CredstashError(
      'IO',
      `the system refused to open a file, or to start a program (${code})`,
      {
        cause: error,
      },
    );
  }
  // Neither the message nor the name of an unknown error is known to be free of secrets: keep only what looks like the name
  // of an error, and the lines of the stack.
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

function asksForDebug(argv: readonly string[]): boolean {
  return argv.some(
    (arg, i) =>
      /^(--log-level=)?debug$/i.test(arg) && (arg.includes('=') || argv[i - 1] === '--log-level'),
  );
}

export async function openLog(path: string, level: string | undefined): Promise<Log | undefined> {
  if (path === '') throw new CredstashError('USAGE', 'the value of --log-file is empty');
  if (path === '-') {
    throw new CredstashError('USAGE', '--log-file takes a file, not -', {
      hint: 'errors are on stderr without it; a file called - is ./-',
    });
  }
  if (level === 'critical' || level === 'fatal') return undefined;
  const { expandHome } = await import('./files/home.ts');
  return (await import('./files/log-file.ts')).openLogFile(expandHome(path));
}
