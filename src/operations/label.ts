import { type BackendSource, openBackend } from '../backend/backend.ts';
import { checkLabel } from '../model/label.ts';
import { checkName } from '../model/name.ts';
import { checkVersion, listSpellings } from '../model/version.ts';
import type { CallOptions } from '../util/progress.ts';
import { versionNotFound } from './errors.ts';
import { listVersions } from './list.ts';

export interface LabelOptions extends CallOptions {
  /** The version that gets the label; default: the newest. */
  readonly version?: string | undefined;
}

/** What moving a label did. */
export interface Labelled {
  /** The version that has the label now. */
  readonly version: string;
  /** The versions that had it before. */
  readonly before: readonly string[];
}

/** Moves a label to a version of a secret: `Credstash.label`. */
export async function moveLabel(
  source: BackendSource,
  name: string,
  label: string,
  options: LabelOptions = {},
): Promise<Labelled> {
  checkName(name);
  checkLabel(label);
  const { version } = options;
  if (version !== undefined) checkVersion(version);
  const backend = await openBackend(source);
  const versions = (await listVersions(backend, name)).map((header) => header.version);
  const found =
    version === undefined
      ? versions[0]
      : listSpellings(version).find((each) => versions.includes(each));
  if (found === undefined) throw versionNotFound(backend, name, { version });
  return { version: found, before: await backend.entries.moveLabel(name, label, found) };
}

/** Removes a label from a secret: `Credstash.unlabel`. */
export async function removeLabel(
  source: BackendSource,
  name: string,
  label: string,
): Promise<string[]> {
  checkName(name);
  checkLabel(label);
  const backend = await openBackend(source);
  const before = await backend.entries.moveLabel(name, label, undefined);
  if (before.length > 0) return before;
  await listVersions(backend, name);
  throw versionNotFound(backend, name, { label });
}
