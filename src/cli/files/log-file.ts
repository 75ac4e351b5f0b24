import { closeSync, constants, writeFileSync } from 'node:fs';
import { CredstashError } from '../../errors.ts';
import { escapeUnseen } from '../../format/visible.ts';
import { openPlainFile } from './plain-file.ts';

/** Adds a line to a log for each message. */
export type Log = (messages: readonly string[]) => void;

/**
 * Opens a file that messages are added to. A new file is readable only by its owner.
 *
 * @returns what adds a line for each message, with the time before it; a log that is full fails silently, because
 *   what it would report is on stderr already
 * @throws CredstashError USAGE when it cannot be opened, or is not a plain file of one name
 */
export function openLogFile(path: string): Log {
  const called = `the log ${path}`;
  const { O_APPEND, O_CREAT, O_WRONLY } = constants;
  const { fd, stat } = openPlainFile(path, called, O_WRONLY | O_APPEND | O_CREAT, 0o600);
  if (stat.nlink > 1) {
    closeSync(fd);
    throw new CredstashError('USAGE', `${called} has a second name, by a hard link`);
  }
  return (messages) => {
    const at = new Date().toISOString();
    try {
      writeFileSync(fd, messages.map((message) => `${at} ${escapeUnseen(message)}\n`).join(''));
    } catch {
      // Every message is on stderr as well.
    }
  };
}
