import { readFileSync } from 'node:fs';
import type { Io } from '../terminal/io.ts';
import { readStat } from './signals.ts';

/**
 * Counts the ended processes that were left to this process as PID 1, and that stay in the process table: Node.js waits only for
 * children that it started itself. 0 if this process is not PID 1, or without /proc.
 *
 * @param own a child that Node.js waits for
 */
export function countOrphans(own: number | undefined): number {
  if (process.pid !== 1) return 0;
  try {
    const children = readFileSync('/proc/1/task/1/children', 'utf8').split(' ').map(Number);
    return children.filter((pid) => pid !== own && pid > 0 && readStat(pid)?.state === 'Z').length;
  } catch {
    return 0;
  }
}

/** How often PID 1 looks for ended processes that it cannot wait for, in milliseconds. */
const ORPHANS_MS = 5000;

/** Warns once if ended processes stay, because Node.js does not wait for processes that others started. */
export function watchOrphans(own: () => number | undefined, io: Io): NodeJS.Timeout | undefined {
  if (process.pid !== 1) return undefined;
  const timer = setInterval(() => {
    if (countOrphans(own()) === 0) return;
    clearInterval(timer);
    io.note(
      'credstash: warning: COMMAND leaves ended processes behind, which credstash cannot remove as PID 1',
    );
    io.note(
      'credstash: hint: give the container an init: --init of docker, initProcessEnabled of ECS, or shareProcessNamespace of Kubernetes',
    );
  }, ORPHANS_MS).unref();
  return timer;
}
