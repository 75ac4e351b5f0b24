import { closeSync, constants, writeFileSync } from 'node:fs';
import { CredstashError } from '../../errors.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { openPlainFile } from './plain-file.ts';

/** Writes each message as a line of the log. */
export type Log = (messages: readonly string[]) => void;

/**
 * Opens a log file for appending. A new file is readable only by its owner.
 *
 * @returns a function that adds a line with the time for each message. It ignores failures, such as a full disk, because the
 *   messages are on stderr as well.
 * @throws CredstashError USAGE if the file cannot be opened, is not a plain file, or has a second name
 */
export function openLogFile(path: string): Log {
  const label = `the log ${path}`;
  const { O_APPEND, O_CREAT, O_WRONLY } = constants;
  const { fd, stat } = openPlainFile(path, label, O_WRONLY | O_APPEND | O_CREAT, 0o600);
  if (stat.nlink > 1) {
    closeSync(fd);
    throw new CredstashError('USAGE', `${label} has a second name, by a hard link`);
  }
  return (messages) => {
    const time = new Date().toISOString();
    try {
      writeFileSync(fd, messages.map((message) => `${time} ${escapeUnseen(message)}\n`).join(''));
    } catch {
      // Every message is on stderr as well.
    }
  };
}
