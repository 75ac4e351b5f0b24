import { type Backend, type BackendSource, openBackend } from '../backend/backend.ts';
import { checkGlob, matchesGlob } from '../model/glob.ts';
import { checkName } from '../model/name.ts';
import { type ProgressOptions, type Progress, withProgress } from '../util/progress.ts';

import type { EntryHeader } from '../model/entry.ts';
import { compareUtf8 } from '../util/utf8.ts';
import { sortByVersion } from './batch.ts';
import { secretNotFound } from './errors.ts';

/** Lists the name of every secret, once, in order: `Credstash.names`. */
export async function listNames(
  source: BackendSource,
  options: ProgressOptions = {},
): Promise<string[]> {
  const { entries } = await openBackend(source);
  const names = new Set<string>();
  for await (const { name } of withProgress(entries.headers(), options.progress)) names.add(name);
  return [...names].sort(compareUtf8);
}

/** Lists the headers of the entries whose name matches, by name and then by version: `Credstash.list`. */
export async function list(
  source: BackendSource,
  glob = '*',
  options: ProgressOptions = {},
): Promise<EntryHeader[]> {
  const wanted = checkGlob(glob);
  return listMatching(await openBackend(source), wanted, options.progress);
}

/** Yields the headers of the entries whose name matches as they are read: `Credstash.headers`. */
export async function* streamHeaders(
  source: BackendSource,
  glob = '*',
  options: ProgressOptions = {},
): AsyncGenerator<EntryHeader> {
  const wanted = checkGlob(glob);
  const { entries } = await openBackend(source);
  for await (const header of withProgress(entries.headers(), options.progress)) {
    if (matchesGlob(wanted, header.name)) yield header;
  }
}

/** Lists the headers of every version of a secret, the newest first: `Credstash.history`. */
export async function listHistory(
  source: BackendSource,
  name: string,
  options: ProgressOptions = {},
): Promise<EntryHeader[]> {
  checkName(name);
  return listVersions(await openBackend(source), name, options.progress);
}

/** Finds the newest version of a secret, also of an entry that does not open: `Credstash.newestVersion`. */
export async function findNewestVersion(
  source: BackendSource,
  name: string,
): Promise<string | undefined> {
  checkName(name);
  const { entries } = await openBackend(source);
  return (await entries.newestHeader(name))?.version;
}

/** The headers of the entries whose name matches, by name and then by version. */
export async function listMatching(
  { entries }: Backend,
  glob: string,
  progress?: Progress,
): Promise<EntryHeader[]> {
  const headers: EntryHeader[] = [];
  for await (const header of withProgress(entries.headers(), progress)) {
    if (matchesGlob(glob, header.name)) headers.push(header);
  }
  return sortByVersion(headers);
}

/** The headers of one secret, the newest first. @throws CredstashError SECRET_NOT_FOUND */
export async function listVersions(
  backend: Backend,
  name: string,
  progress?: Progress,
): Promise<EntryHeader[]> {
  const headers: EntryHeader[] = [];
  for await (const header of withProgress(backend.entries.headers(name), progress))
    headers.push(header);
  if (headers.length === 0) throw secretNotFound(backend, name);
  return headers.sort((a, b) => compareUtf8(b.version, a.version));
}
