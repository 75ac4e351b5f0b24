import {
  CreateAliasCommand,
  CreateKeyCommand,
  DescribeKeyCommand,
  EnableKeyRotationCommand,
  GetKeyRotationStatusCommand,
  type KeyMetadata,
  type KMSClient,
  ScheduleKeyDeletionCommand,
} from '@aws-sdk/client-kms';
import { CredstashError } from '../../../errors.ts';
import { nameOf, translate, unreadable } from '../errors.ts';
import { pollUntil } from '../poll.ts';
import type { ThrottleRetry } from '../throttle-retry.ts';

// Over 250 lines: the steps that create a key, its alias and its rotation undo each other on a failure.

/** KMS knows of a new key or alias everywhere within seconds, and of a few within minutes. */
const LONGEST_WAIT_MS = 60_000;
/** The shortest that KMS takes. */
const DAYS_UNTIL_DELETION = 7;

/** An alias, of a key or of none yet. */
export interface AliasPlace {
  readonly kms: KMSClient;
  readonly alias: string;
  readonly region: string;
  /** For a service that throttles. */
  readonly retry: ThrottleRetry;
  /** Ends the setup between two requests, and in a wait. */
  readonly signal?: AbortSignal | undefined;
}

/** The key behind the alias, after a setup. */
export interface KeyOutcome {
  readonly created: boolean;
  /** Whether this call turned its rotation on. */
  readonly rotated: boolean;
  readonly multiRegion: boolean;
  /** A key that this call made for nothing and could not schedule to be deleted. */
  readonly leftBehind?: string;
}

/**
 * Creates the KMS key and its alias if missing, and turns on rotation. An existing key is not changed otherwise.
 *
 * @param options.tags of a new key, beside `Name=credstash`
 * @param options.multiRegion whether it has to be a key of several regions, which no key becomes later
 * @throws CredstashError USAGE if the existing key is of one region only; KEY_UNUSABLE if the existing key is not an
 *   enabled symmetric key, or its rotation cannot be turned on; ACCESS_DENIED and the like
 */
export async function createKey(
  at: AliasPlace,
  options: { readonly tags: Readonly<Record<string, string>>; readonly multiRegion: boolean },
): Promise<KeyOutcome> {
  const there = await findKey(at);
  if (there) return adoptKey(at, there, options.multiRegion);
  const own = await makeKey(at, options);
  try {
    await waitForKey(at, 'kms:EnableKeyRotation', () => enableRotation(at, own));
    await waitForKey(at, 'kms:CreateAlias', () => createAlias(at, own));
  } catch (error) {
    throw addLeftBehind(error, await discardKey(at, own));
  }
  const named = await waitForKey(at, 'kms:DescribeKey', () => findKey(at));
  const made = { created: true, rotated: true, multiRegion: options.multiRegion };
  if (named.KeyId === own) return made;
  // Somebody else's setup was quicker.
  const leftBehind = await discardKey(at, own);
  return {
    ...(await adoptKey(at, named, options.multiRegion)),
    ...(leftBehind === undefined ? {} : { leftBehind }),
  };
}

/** The key behind the alias; undefined for none. */
async function findKey(at: AliasPlace): Promise<KeyMetadata | undefined> {
  const { alias, kms } = at;
  return call(at, 'kms:DescribeKey', async () => {
    try {
      return (await kms.send(new DescribeKeyCommand({ KeyId: alias }))).KeyMetadata;
    } catch (error) {
      if (nameOf(error) === 'NotFoundException') return undefined;
      throw error;
    }
  });
}

/** The id of a new key. A lost answer may leave a second one behind, without an alias: CreateKey knows no token. */
async function makeKey(
  at: AliasPlace,
  options: { readonly tags: Readonly<Record<string, string>>; readonly multiRegion: boolean },
): Promise<string> {
  const create = new CreateKeyCommand({
    Description: 'Wraps the data keys of credstash',
    // The defaults, said for policies that demand them (kms:KeySpec, kms:KeyUsage).
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeySpec: 'SYMMETRIC_DEFAULT',
    Tags: Object.entries({ Name: 'credstash', ...options.tags }).map(([TagKey, TagValue]) => ({
      TagKey,
      TagValue,
    })),
    ...(options.multiRegion ? { MultiRegion: true } : {}),
  });
  const { KeyMetadata: made } = await call(at, 'kms:CreateKey', () => at.kms.send(create));
  if (made?.KeyId === undefined) throw unreadable(whereOf(at));
  return made.KeyId;
}

/** Checks an existing key, and turns its rotation on. */
async function adoptKey(
  at: AliasPlace,
  key: KeyMetadata,
  multiRegion: boolean,
): Promise<KeyOutcome> {
  const subject = `the key ${at.alias} in ${at.region}`;
  const unusable = (why: string, hint: string): CredstashError =>
    new CredstashError('KEY_UNUSABLE', `${subject} cannot be used: ${why}`, { hint });
  const another = 'name another alias with -k, or give this one to another key';
  const { KeyId, KeySpec, KeyUsage, KeyState, KeyManager, Origin, MultiRegion = false } = key;
  if (KeyId === undefined) throw unreadable(whereOf(at));
  if (KeySpec !== 'SYMMETRIC_DEFAULT' || KeyUsage !== 'ENCRYPT_DECRYPT') {
    const is = `${safeWord(KeySpec)} for ${safeWord(KeyUsage)}`;
    throw unusable(`it is ${is}, and must be SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT`, another);
  }
  if (KeyManager !== 'CUSTOMER') throw unusable('it is a key of AWS, not of yours', another);
  if (KeyState !== 'Enabled') {
    throw unusable(
      `its state is ${safeWord(KeyState)}`,
      'enable it, or name another alias with -k',
    );
  }
  if (multiRegion && !MultiRegion) {
    throw new CredstashError(
      'USAGE',
      `${subject} is a key of one region alone, and no key of several regions can be made of it`,
      { hint: 'name another alias with -k' },
    );
  }
  const status = new GetKeyRotationStatusCommand({ KeyId });
  const rotates = await call(at, 'kms:GetKeyRotationStatus', async () => {
    try {
      return (await at.kms.send(status)).KeyRotationEnabled === true;
    } catch (error) {
      if (nameOf(error) === 'UnsupportedOperationException') return undefined;
      throw error;
    }
  });
  if (rotates) return { created: false, rotated: false, multiRegion: MultiRegion };
  if (rotates === undefined || Origin !== 'AWS_KMS') {
    throw unusable(`KMS does not rotate a key whose origin is ${safeWord(Origin)}`, another);
  }
  if (key.MultiRegionConfiguration?.MultiRegionKeyType === 'REPLICA') {
    const region = safeWord(key.MultiRegionConfiguration.PrimaryKey?.Region);
    throw unusable(
      `its rotation is off, and can be turned on in ${region} alone`,
      `run setup with --kms-region ${region}`,
    );
  }
  await call(at, 'kms:EnableKeyRotation', () => enableRotation(at, KeyId));
  return { created: false, rotated: true, multiRegion: MultiRegion };
}

async function enableRotation({ kms }: AliasPlace, key: string): Promise<true> {
  await kms.send(new EnableKeyRotationCommand({ KeyId: key }));
  return true;
}

/** Points the alias at the key. An existing alias is left: it may be this key's, if the answer of the request was lost. */
async function createAlias({ kms, alias }: AliasPlace, key: string): Promise<true> {
  try {
    await kms.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: key }));
  } catch (error) {
    if (nameOf(error) !== 'AlreadyExistsException') throw error;
  }
  return true;
}

/**
 * Schedules the deletion of a key that nothing was wrapped with. Never the key that has the alias, and so no key if
 * that cannot be told.
 *
 * @returns the key if it stays
 */
async function discardKey(at: AliasPlace, key: string): Promise<string | undefined> {
  const schedule = new ScheduleKeyDeletionCommand({
    KeyId: key,
    PendingWindowInDays: DAYS_UNTIL_DELETION,
  });
  try {
    if ((await findKey(at))?.KeyId === key) return key;
    await call(at, 'kms:ScheduleKeyDeletion', () => at.kms.send(schedule));
    return undefined;
  } catch {
    return key;
  }
}

/** The error that ended it, with what it left behind. */
function addLeftBehind(error: unknown, key: string | undefined): unknown {
  if (key === undefined || !(error instanceof CredstashError)) return error;
  const hint = `the new key ${safeWord(key)} is left behind: delete it, or give it the alias`;
  return error.reworded(error.message, hint);
}

/** Of an answer: an id, a region, or a name of KMS's own. */
function safeWord(text = 'unknown'): string {
  return /^[\w-]{1,100}$/.test(text) ? text : 'unknown';
}

function whereOf({ alias, region }: AliasPlace): {
  service: string;
  resource: string;
  region: string;
} {
  return { service: 'KMS', resource: `the key ${alias}`, region };
}

function call<T>(at: AliasPlace, action: string, send: () => Promise<T>): Promise<T> {
  return at.retry.send(
    `KMS in ${at.region}`,
    send,
    (error) => toSetupError(at, error, action),
    at.signal,
  );
}

function toSetupError(at: AliasPlace, error: unknown, action: string): CredstashError {
  const general = translate(error, { ...whereOf(at), action });
  if (nameOf(error) !== 'LimitExceededException') return general;
  // It is a quota: trying again does not help.
  return new CredstashError('KEY_UNUSABLE', `the quota of KMS in ${at.region} is used up`, {
    hint: 'ask AWS for more keys or aliases, or use one that is there with -k',
    cause: general.cause,
  });
}

/** What `send` gives, once KMS knows what was made just now. */
function waitForKey<T>(
  at: AliasPlace,
  action: string,
  send: () => Promise<T | undefined>,
): Promise<T> {
  const attempt = (end: number): Promise<T | undefined> =>
    call(at, action, async () => {
      try {
        return await send();
      } catch (error) {
        if (nameOf(error) === 'NotFoundException' && Date.now() < end) return undefined;
        throw error;
      }
    });
  return pollUntil(attempt, {
    resource: `the key ${at.alias}`,
    state: 'is not known to all of KMS yet',
    longestMs: LONGEST_WAIT_MS,
    timeout: () =>
      new CredstashError(
        'UNREACHABLE',
        `KMS in ${at.region} does not know ${at.alias} after ${LONGEST_WAIT_MS / 1000} seconds`,
        { hint: 'run setup again' },
      ),
    retry: at.retry,
    signal: at.signal,
  });
}
