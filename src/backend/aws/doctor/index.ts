import type { KMSClient } from '@aws-sdk/client-kms';
import { CredstashError } from '../../../errors.ts';
import { attempt, type CheckOptions, type Checks, failedStep } from '../../diagnosis.ts';
import type { OpenedAws } from './ask.ts';
import { checkCredentials, describeEnvironment, loadSts } from './credentials.ts';
import { checkEndpoints } from './endpoints.ts';
import { checkKey } from './key.ts';
import { checkReader, checkWriter } from './permissions.ts';
import { checkTable } from './table.ts';

/**
 * Checks the settings of AWS, the credentials, the table, the key, and the caller's permissions. Writes nothing: it tries a
 * write with a condition that never holds.
 */
export async function* checkAws(
  {
    loadKms,
    ...withoutKms
  }: Omit<OpenedAws, 'kms'> & { readonly loadKms: () => Promise<KMSClient> },
  options: CheckOptions,
): Checks {
  const kms = await attempt(loadKms);
  if (kms instanceof CredstashError) {
    yield failedStep('configuration', kms);
    return { keys: false, entries: false };
  }
  const opened = { ...withoutKms, kms };
  yield* describeEnvironment(opened);
  const sts = await loadSts(opened);
  const hasCredentials = yield* checkCredentials(opened, sts, options);
  yield* checkEndpoints(opened, sts, hasCredentials);
  if (!hasCredentials) return { keys: false, entries: false };
  const isReadable = yield* checkTable(opened, options);
  const entries =
    isReadable && (yield* checkReader(opened, options)) && (yield* checkWriter(opened, options));
  const keys = yield* checkKey(opened, options);
  return { keys, entries };
}
