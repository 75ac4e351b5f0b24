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

/** Of the process, its start included: nobody waits longer for a key. */
const LIMIT_MS = 2000;

/**
 * What a script of completion is told (scripts.ts). Nothing is asked, created or reported: where there is an error,
 * there are no names.
 *
 * @param args what the script gave: for bash the line and what is to be replaced of it, else the words
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
    const found = await names(program, io, place.command, words);
    candidates.push(...candidatesOf(found, place.behindDashes));
  } else if (bash && place.prefix === '@') candidates.push(...filesBehindAt(words.at(-1) ?? ''));
  else return `files\t${place.prefix}\n`;
  const lines = candidates
    // Others may write to the table: what drives a terminal, or ends a line here, is not for a line that is edited.
    .filter(({ value }) => escapeUnseen(value) === value)
    .map(({ value, description }) =>
      bash ? bash.complete(value) : `${value}\t${escapeUnseen(description)}`,
    )
    .filter((each) => each !== undefined);
  return ['words', ...lines].map((each) => `${each}\n`).join('');
}

function candidatesOf(fetchNames: readonly string[], behindDashes: boolean): Candidate[] {
  return fetchNames
    .filter((name) => behindDashes || !name.startsWith('-'))
    .map((value) => ({ value, description: '' }));
}

/** readline takes an @ for a part of the file's name, so that what completes files in bash finds none behind it. */
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

/** The names of secrets in the table or vault that the options before the cursor choose. */
async function names(
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
 * Ends this process when it takes too long, without an answer. By another thread: a vault's lock, or a file system that
 * is gone, holds up the timers of this one.
 */
function startWatchdog(): void {
  const workerData = Math.max(0, LIMIT_MS - performance.now());
  // From dist/bin/chunks, where this is bundled to. The single file has it under this name, whatever the current folder has.
  const isNode = process.versions['bun'] === undefined;
  const file = isNode ? join(import.meta.dirname, '..', 'watchdog.cjs') : './watchdog.cjs';
  new Worker(file, { workerData, env: {}, stdout: true, stderr: true }).unref();
}
