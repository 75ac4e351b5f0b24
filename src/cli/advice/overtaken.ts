import type { Credstash } from '../../credstash.ts';
import { inParallel } from '../../util/parallel.ts';
import { compareUtf8 } from '../../util/utf8.ts';
import { padVersion, unpadVersion } from '../../model/version.ts';
import type { Io } from '../terminal/io.ts';

/** The time limit for looking up newest versions after secrets are stored, and its addition for each secret. */
const LOOK_MS = 5000;
const LOOK_PER_SECRET_MS = 50;

/** How many versions are looked up at once. */
const AT_ONCE = 8;

/** The most warnings to print. */
const MAX_WARNINGS = 20;

/**
 * Warns of each stored secret for which a get still returns another, newer version. Prints nothing if the caller may not read.
 *
 * @param stored the version that was stored
 */
export async function warnOfOvertaken(
  io: Io,
  credstash: Credstash,
  names: readonly string[],
  stored: string,
): Promise<void> {
  const version = padVersion(stored);
  const signal = AbortSignal.timeout(LOOK_MS + names.length * LOOK_PER_SECRET_MS);
  let isDenied = false;
  const look = async (name: string): Promise<string | undefined> => {
    if (signal.aborted || isDenied) return undefined;
    const newest = await credstash.newestVersion(name, { signal }).catch(() => {
      isDenied = true;
      return undefined;
    });
    if (newest === undefined || compareUtf8(newest, version) <= 0) return undefined;
    return `version ${unpadVersion(version)} of ${name} is stored, but is not the newest: get will still give version ${unpadVersion(newest)}`;
  };
  const warnings: string[] = [];
  for await (const warning of inParallel(AT_ONCE, names, look)) {
    if (warning !== undefined) warnings.push(warning);
  }
  printFirstWarnings(io, warnings, 'such secrets');
}

/** Prints the first warnings, and the number of the others. @param unit the things that they concern: `such secrets` */
export function printFirstWarnings(io: Io, warnings: readonly string[], unit: string): void {
  for (const warning of warnings.slice(0, MAX_WARNINGS)) io.note(`credstash: warning: ${warning}`);
  const left = warnings.length - MAX_WARNINGS;
  if (left > 0) io.note(`credstash: warning: and ${left} more ${unit}`);
}
