import { readFileSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { expect } from 'vitest';

/*
 * Sessions at a terminal, as test/testdata/*.txt hold them. Text that begins a line is for people. What is indented by two
 * spaces is the session:
 *
 *     $ credstash put app.db - <<END      a command; what it reads from stdin follows, up to a line END
 *     secret
 *     END
 *     app.db has been stored              its stdout
 *     ! credstash: error: …               a line of its stderr
 *     ? 3                                 its status, which is 0 unless it is given
 *
 * Words are quoted as in a shell; `$'\n'` is not known. `NAME=value` before `credstash` sets a variable. `$DIR` is a folder of the
 * session, `$WHERE` the table or vault as messages name it, `$KMS` what unwraps its data keys. `…` stands for any text within a line, also for none. `\c` at the
 * end of a line says that no line break follows. `cat FILE` and `cat > FILE <<END` read and write files of the folder.
 */

/** How one command of a session ended. */
export interface SessionOutcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a session runs. */
export interface SessionPlace {
  /** As messages name the table or vault. */
  readonly where: string;
  /** As messages name what unwraps data keys. */
  readonly kms: string;
  /** A folder of the session's own. */
  readonly folder: string;
  readonly run: (
    args: readonly string[],
    options: { readonly env: Readonly<Record<string, string>>; readonly input?: string },
  ) => Promise<SessionOutcome>;
}

interface Step {
  /** The number of its line, from 1. */
  readonly line: number;
  readonly command: string;
  readonly input: string | undefined;
  readonly expected: readonly string[];
}

/** The commands of a session, with what each is expected to say. */
export function parseSession(text: string): Step[] {
  const steps: (Step & { expected: string[] })[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i += 1) {
    const line = lines[i] ?? '';
    if (!line.startsWith('  ')) continue;
    if (!line.startsWith('  $ ')) {
      const step = steps.at(-1);
      if (!step) throw new Error(`line ${i + 1}: it follows no command`);
      step.expected.push(line.slice(2));
      continue;
    }
    const [, command = '', end] = /^ {2}\$ (.*?)(?: <<(\w+))?$/.exec(line) ?? [];
    const start = i;
    if (end !== undefined) {
      while (lines[++i] !== `  ${end}`) {
        if (i >= lines.length) throw new Error(`line ${start + 1}: its ${end} is missing`);
      }
    }
    const read = lines.slice(start + 1, i).map((each) => `${each.slice(2)}\n`);
    const input = end === undefined ? undefined : read.join('');
    steps.push({ line: start + 1, command, input, expected: [] });
  }
  return steps;
}

/** The words of a command line: bare, in single quotes, or in double quotes. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g)].map(([word]) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  );
}

/** Whether a line is what is expected, in which `…` stands for any text. */
function fits(line: string, expected: string): boolean {
  const parts = expected.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return RegExp(`^${parts.join('.*')}$`, 'u').test(line);
}

/** What was printed, as a session writes it. */
function transcribe({ status, stdout, stderr }: SessionOutcome): string[] {
  const lines = stdout.split('\n');
  const last = lines.pop() ?? '';
  return [
    ...lines,
    ...(last === '' ? [] : [`${last}\\c`]),
    ...(stderr === '' ? [] : stderr.replace(/\n$/, '').split('\n')).map((line) => `! ${line}`),
    ...(status === 0 ? [] : [`? ${String(status)}`]),
  ];
}

/** Runs a session to its end, and expects of each command what the file says. */
export async function runSession(file: string, place: SessionPlace): Promise<void> {
  const fill = (text: string): string =>
    text
      .replaceAll('$WHERE', place.where)
      .replaceAll('$KMS', place.kms)
      .replaceAll('$DIR', place.folder);
  for (const { line, command, input, expected } of parseSession(readFileSync(file, 'utf8'))) {
    const found = transcribe(await runStep(splitWords(fill(command)), input, place));
    const wanted = expected.map(fill);
    // A line that fits is shown as it is expected, so that a difference shows only what differs.
    const shown = found.map((each, i) => (fits(each, wanted[i] ?? '') ? wanted[i] : each));
    expect(shown, `${file}:${line}: ${command}`).toEqual(wanted);
  }
}

async function runStep(
  words: readonly string[],
  input: string | undefined,
  { folder, run }: SessionPlace,
): Promise<SessionOutcome> {
  const inFolder = (name = ''): string => (isAbsolute(name) ? name : join(folder, name));
  if (words[0] === 'cat') {
    if (words[1] === '>') {
      writeFileSync(inFolder(words[2]), input ?? '');
      return { status: 0, stdout: '', stderr: '' };
    }
    return { status: 0, stdout: readFileSync(inFolder(words[1]), 'utf8'), stderr: '' };
  }
  const at = words.indexOf('credstash');
  const variables = words.slice(0, at).map((word) => word.split(/=(.*)/s).slice(0, 2));
  if (at < 0 || variables.some((each) => each.length < 2)) {
    throw new Error(`a session runs credstash and cat, not ${words.join(' ')}`);
  }
  const env = Object.fromEntries(variables) as Record<string, string>;
  return run(words.slice(at + 1), input === undefined ? { env } : { env, input });
}
