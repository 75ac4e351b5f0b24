import { readFileSync } from 'node:fs';
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
