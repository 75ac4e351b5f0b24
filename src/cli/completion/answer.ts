import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Command } from 'commander';
import { escapeUnseen } from '../../format/visible.ts';
import type { Grammar } from '../argparse.ts';
import { optionsOf } from '../create-program.ts';
import { chooseBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';
import { expandHome } from '../files/home.ts';
import { parseBashLine } from './bash-line.ts';
import { type Candidate, findPlace } from './place.ts';

/** The limit of the process, with its start: a person who presses a key does not wait longer. */
const LIMIT_MS = 2000;

/**
 * Answers a shell's completion script (scripts.ts). Prompts for nothing, creates nothing and reports no errors: after an
 * error there are just no names.
 *
 * @param args from the script: for bash the line and the part of it to replace, otherwise the words
 */
export async function answerCompletion(
  program: Grammar,
  io: Io,
  shell: string,
  args: readonly string[],
): Promise<string> {
  const [line = '', text = ''] = args;
  const bash = shell === 'bash' ? parseBashLine(line, text) : undefined;
  const words = shell === 'bash' ? bash?.words : args;
  if (words === undefined) return '';
  const place = findPlace(program, words);
  const candidates: Candidate[] = [];
  if (place.kind === 'words') candidates.push(...place.words);
  else if (place.kind === 'names') {
    const found = await fetchNames(program, io, place.command, words);
    candidates.push(...candidatesOf(found, place.behindDashes));
  } else if (bash && place.prefix === '@') candidates.push(...filesBehindAt(words.at(-1) ?? ''));
  else return `files\t${place.prefix}\n`;
  const lines = candidates
    // Others may write to the table. Leave out names that could drive the terminal or break the lines of the answer.
    .filter(({ value }) => escapeUnseen(value) === value)
    .map(({ value, description }) =>
      bash ? bash.complete(value) : `${value}\t${escapeUnseen(description)}`,
    )
    .filter((each) => each !== undefined);
  return ['words', ...lines].map((each) => `${each}\n`).join('');
}

function candidatesOf(names: readonly string[], behindDashes: boolean): Candidate[] {
  return names
    .filter((name) => behindDashes || !name.startsWith('-'))
    .map((value) => ({ value, description: '' }));
}

/** Completes files after an @, because bash's own completion takes the @ for a part of the file's name. */
function filesBehindAt(typed: string): Candidate[] {
  startWatchdog();
  const folder = typed.slice(1, typed.lastIndexOf('/') + 1);
  try {
    return readdirSync(expandHome(folder || '.'), { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('.') || typed.startsWith(`@${folder}.`))
      .map((each) => ({
        value: `@${folder}${each.name}${each.isDirectory() ? '/' : ''}`,
        description: '',
      }));
  } catch {
    return [];
  }
}

/** Fetches the names of the secrets in the table or vault that the options before the cursor select. */
async function fetchNames(
  program: Command,
  io: Io,
  command: Command,
  words: readonly string[],
): Promise<string[]> {
  startWatchdog();
  const found: string[] = [];
  try {
    const { operands, unknown } = program.parseOptions(words.slice(0, -1));
    command.parseOptions([...operands.slice(1), ...unknown]);
    const withBackend = chooseBackend(optionsOf(command), io, { unattended: true });
    await withBackend(async (credstash) => {
      found.push(...(await credstash.names()));
    });
  } catch {
    // The command itself will report the error.
  }
  return found;
}

/**
 * Ends this process without an answer if it takes too long. Another thread does so, because a vault's lock or a hanging file
 * system blocks the timers of this one.
 */
function startWatchdog(): void {
  const workerData = Math.max(0, LIMIT_MS - performance.now());
  // This code is bundled to dist/bin/chunks. The single file contains a file of this relative name, and does not look on disk.
  const isNode = process.versions['bun'] === undefined;
  const file = isNode ? join(import.meta.dirname, '..', 'watchdog.cjs') : './watchdog.cjs';
  new Worker(file, { workerData, env: {}, stdout: true, stderr: true }).unref();
}
