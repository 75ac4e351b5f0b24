import type { Backend } from '../backend/backend.ts';

import type { EntryHeader } from '../model/entry.ts';
import { matches } from '../model/glob.ts';
import { type Progress, withProgress } from '../util/progress.ts';
import { compareUtf8 } from '../util/utf8.ts';
import { sortByVersion } from './batch.ts';
import { secretNotFound } from './errors.ts';

/** The headers of the entries whose name matches, by name and then by version. */
export async function matching(
  { entries }: Backend,
  glob: string,
  progress?: Progress,
): Promise<EntryHeader[]> {
  const headers: EntryHeader[] = [];
  for await (const header of withProgress(entries.headers(), progress)) {
    if (matches(glob, header.name)) headers.push(header);
  }
  return sortByVersion(headers);
}

/** The headers of one secret, the newest first. @throws CredstashError SECRET_NOT_FOUND */
export async function versionsOf(
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
