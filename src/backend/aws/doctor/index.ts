import type { KMSClient } from '@aws-sdk/client-kms';
import { CredstashError } from '../../../errors.ts';
import { attempt, type CheckOptions, type Checks, failedStep } from '../../diagnosis.ts';
import type { Opened } from './ask.ts';
import { credentials, environment, loadSts } from './credentials.ts';
import { nameEndpoints } from './endpoints.ts';
import { key } from './key.ts';
import { reader, writer } from './permissions.ts';
import { table } from './table.ts';

/**
 * Looks at the settings of AWS, the credentials, the table and the key, and at what is allowed. Nothing is written: a
 * write is tried under a condition that cannot hold.
 */
export async function* checkAws(
  { loadKms, ...opened }: Omit<Opened, 'kms'> & { readonly loadKms: () => Promise<KMSClient> },
  options: CheckOptions,
): Checks {
  const kms = await attempt(loadKms);
  if (kms instanceof CredstashError) {
    yield failedStep('configuration', kms);
    return { keys: false, entries: false };
  }
  const on = { ...opened, kms };
  yield* environment(on);
  const sts = await loadSts(on);
  const hasCredentials = yield* credentials(on, sts, options);
  yield* nameEndpoints(on, sts, hasCredentials);
  if (!hasCredentials) return { keys: false, entries: false };
  const readable = yield* table(on, options);
  const entries = readable && (yield* reader(on, options)) && (yield* writer(on, options));
  const keys = yield* key(on, options);
  return { keys, entries };
}
