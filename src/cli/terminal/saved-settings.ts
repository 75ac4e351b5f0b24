import type { spawnSync as SpawnSync } from 'node:child_process';
import { isInForeground } from '../exec/signals.ts';

/** The limit of a run of stty, which takes milliseconds. */
const LIMIT_MS = 2000;

/**
 * Saves the settings of the terminal on stdin, stdout or stderr. Node.js restores them when it exits, but not when a signal ends
 * it. Without a native module, only `stty` can read them.
 *
 * @param spawnSync of node:child_process, which is slow to load
 * @returns a function that restores them. It does nothing without a terminal or stty, or if another program has the terminal.
 */
export function saveTerminalSettings(spawnSync: typeof SpawnSync): () => void {
  const { isatty } = process.getBuiltinModule('node:tty');
  const fd = [0, 1, 2].find((each) => isatty(each));
  if (fd === undefined) return () => undefined;
  const stty = (settings: string): string => {
    const { status, stdout } = spawnSync('stty', [settings], {
      stdio: [fd, 'pipe', 'ignore'],
      encoding: 'utf8',
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
    });
    return status === 0 ? stdout.trim() : '';
  };
  const saved = stty('-g');
  return () => {
    if (saved !== '' && isInForeground()) stty(saved);
  };
}
