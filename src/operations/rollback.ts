import { type BackendSource, openToWrite } from '../backend/backend.ts';
import { CredstashError } from '../errors.ts';
import { adviseCall } from '../model/advice.ts';
import { type Context, validateContext } from '../model/context.ts';
import { type EntryHeader, chooseDigest } from '../model/entry.ts';
import { checkLabel } from '../model/label.ts';
import { checkCipher } from '../model/trust.ts';
import { nextVersion, unpadVersion, listSpellings } from '../model/version.ts';
import type { CallOptions } from '../util/progress.ts';
import { versionNotFound } from './errors.ts';
import { checkGet, openEntry, requireEntry } from './get.ts';
import { listVersions } from './list.ts';
import type { PutOptions } from './options.ts';
import { checkSealing, moveLabelToStored, planPut, sealAndCreate } from './put.ts';

export interface RollbackOptions
  extends CallOptions, Pick<PutOptions, 'cipher' | 'digest' | 'onWarning'> {
  /** The version to go back to; default: the one before the newest. */
  readonly version?: string | undefined;
  /** The same pairs that the secret was put with. */
  readonly context?: Context | undefined;
  /** A label to move to the new version. Its readers get the old value or the restored one, never none. */
  readonly label?: string | undefined;
}

/** What a rollback did. */
export interface RolledBack {
  /** The header of the new entry. */
  readonly header: EntryHeader;
  /** The version whose value was restored. */
  readonly from: string;
  /** The versions that had `label` before; empty without it. */
  readonly before: readonly string[];
  /** The other labels of the secret, of its newest version first: each stays on its version. */
  readonly others: readonly { readonly label: string; readonly version: string }[];
}

/** Stores the value of an older version as a new version: `Credstash.rollback`. */
export async function rollback(
  source: BackendSource,
  name: string,
  options: RollbackOptions = {},
): Promise<RolledBack> {
  const { label, ...wantedVersion } = options;
  if (label !== undefined) checkLabel(label);
  const { which, context } = checkGet(name, wantedVersion);
  validateContext(options.context, 'seal');
  const { cipher } = checkSealing(options);
  checkCipher(source.formats, cipher);
  const backend = await openToWrite(source);
  backend.keys.warmUp();
  const versions = await listVersions(backend, name);
  const wanted = which.version === undefined ? undefined : listSpellings(which.version);
  const from = wanted
    ? wanted.find((each) => versions.some(({ version }) => version === each))
    : versions.at(1)?.version;
  if (from === undefined) {
    if (wanted) throw versionNotFound(backend, name, which);
    throw new CredstashError(
      'VERSION_NOT_FOUND',
      `${name} has only one version in ${backend.entries.location}, so there is nothing to roll back to`,
      { hint: `list its versions: ${adviseCall('history', [name])}` },
    );
  }
  const entry = await requireEntry(backend, name, { version: from, exactVersion: true });
  const value = await openEntry(backend, entry, context);
  try {
    const sealing = {
      version: nextVersion(name, versions[0]?.version ?? ''),
      context,
      comment: `rollback to ${unpadVersion(from)}`,
      cipher: options.cipher ?? entry.cipher,
      digest: options.digest ?? chooseDigest(entry.digest),
    };
    const planned = planPut(name, value.length, sealing, source.formats);
    const hmacAsText = planned.header.cipher === 'AES-256-CTR' ? entry.hmacAsText : undefined;
    const stored = { hmacAsText, newest: versions[0], onWarning: options.onWarning };
    const header = await sealAndCreate(backend, planned, value, stored);
    const others = versions.flatMap(({ version, labels = [] }) =>
      labels.filter((each) => each !== label).map((each) => ({ label: each, version })),
    );
    const before = label === undefined ? [] : await moveLabelToStored(backend, header, label);
    return { header, from, before, others };
  } finally {
    value.fill(0);
  }
}
