import { quote } from '../../../model/advice.ts';
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
import { readErrorName, translate, unreadableAnswer } from '../errors.ts';
import { pollUntil } from '../poll.ts';
import type { ThrottleRetry } from '../throttle-retry.ts';

// Over 250 lines: the steps that create a key, its alias and its rotation undo each other on a failure.

/** A new key or alias usually reaches all of KMS within seconds. This leaves room for slower ones. */
const LONGEST_WAIT_MS = 60_000;
/** The shortest time that KMS accepts. */
const DAYS_UNTIL_DELETION = 7;

/** An alias, which may not belong to a key yet. */
export interface AliasTarget {
  readonly kms: KMSClient;
  readonly alias: string;
  readonly region: string;
  /** Repeats throttled requests. */
  readonly retry: ThrottleRetry;
  /** Ends the setup between two requests or during a wait. */
  readonly signal?: AbortSignal | undefined;
}

/** The result of a setup of the key. */
export interface KeyOutcome {
  readonly created: boolean;
  /** Whether this call turned its rotation on. */
  readonly rotated: boolean;
  readonly multiRegion: boolean;
  /** The id of an unused new key whose deletion could not be scheduled. */
  readonly leftBehind?: string;
}

/**
 * Creates the KMS key and its alias if missing, and turns on rotation. An existing key is not changed otherwise.
 *
 * @param options.tags for a new key, besides `Name=credstash`
 * @param options.multiRegion whether it must be a multi-Region key. An existing key cannot become one.
 * @throws CredstashError USAGE if the existing key is of one region only; KEY_UNUSABLE if the existing key is not an
 *   enabled symmetric key, or its rotation cannot be turned on; the errors of KMS, such as ACCESS_DENIED
 */
export async function createKey(
  target: AliasTarget,
  options: { readonly tags: Readonly<Record<string, string>>; readonly multiRegion: boolean },
): Promise<KeyOutcome> {
  const existing = await findKey(target);
  if (existing) return adoptKey(target, existing, options.multiRegion);
  const newId = await makeKey(target, options);
  try {
    await waitForKey(target, 'kms:EnableKeyRotation', () => enableRotation(target, newId));
    await waitForKey(target, 'kms:CreateAlias', () => createAlias(target, newId));
  } catch (error) {
    throw addLeftBehind(error, await discardKey(target, newId));
  }
  const key = await waitForKey(target, 'kms:DescribeKey', () => findKey(target));
  const created = { created: true, rotated: true, multiRegion: options.multiRegion };
  if (key.KeyId === newId) return created;
  // Another setup created the alias first: use its key.
  const leftBehind = await discardKey(target, newId);
  return {
    ...(await adoptKey(target, key, options.multiRegion)),
    ...(leftBehind === undefined ? {} : { leftBehind }),
  };
}

/** Gets the key of the alias; undefined if the alias does not exist. */
async function findKey(target: AliasTarget): Promise<KeyMetadata | undefined> {
  const { alias, kms } = target;
  return sendToKms(target, 'kms:DescribeKey', async () => {
    try {
      return (await kms.send(new DescribeKeyCommand({ KeyId: alias }))).KeyMetadata;
    } catch (error) {
      if (readErrorName(error) === 'NotFoundException') return undefined;
      throw error;
    }
  });
}

/**
 * Creates a key. A lost answer may leave a second key without an alias, because CreateKey has no token for idempotency.
 *
 * @returns the key's id
 */
async function makeKey(
  target: AliasTarget,
  options: { readonly tags: Readonly<Record<string, string>>; readonly multiRegion: boolean },
): Promise<string> {
  const create = new CreateKeyCommand({
    Description: 'Wraps the data keys of credstash',
    // These are the defaults. Policies may demand them in the request (kms:KeySpec, kms:KeyUsage).
    KeyUsage: 'ENCRYPT_DECRYPT',
    KeySpec: 'SYMMETRIC_DEFAULT',
    Tags: Object.entries({ Name: 'credstash', ...options.tags }).map(([TagKey, TagValue]) => ({
      TagKey,
      TagValue,
    })),
    ...(options.multiRegion ? { MultiRegion: true } : {}),
  });
  const { KeyMetadata: metadata } = await sendToKms(target, 'kms:CreateKey', () =>
    target.kms.send(create),
  );
  if (metadata?.KeyId === undefined) throw unreadableAnswer(describeWhere(target));
  return metadata.KeyId;
}

/** Checks an existing key, and turns on its rotation. */
async function adoptKey(
  target: AliasTarget,
  key: KeyMetadata,
  multiRegion: boolean,
): Promise<KeyOutcome> {
  const subject = `the key ${target.alias} in ${target.region}`;
  const unusable = (reason: string, hint: string): CredstashError =>
    new CredstashError('KEY_UNUSABLE', `${subject} cannot be used: ${reason}`, { hint });
  const otherKeyHint = 'name another alias with `key`, or give this one to another key';
  const { KeyId, KeySpec, KeyUsage, KeyState, KeyManager, Origin, MultiRegion = false } = key;
  if (KeyId === undefined) throw unreadableAnswer(describeWhere(target));
  if (KeySpec !== 'SYMMETRIC_DEFAULT' || KeyUsage !== 'ENCRYPT_DECRYPT') {
    const kind = `${safeWord(KeySpec)} for ${safeWord(KeyUsage)}`;
    throw unusable(
      `it is ${kind}, and must be SYMMETRIC_DEFAULT for ENCRYPT_DECRYPT`,
      otherKeyHint,
    );
  }
  if (KeyManager !== 'CUSTOMER') throw unusable('it is a key of AWS, not of yours', otherKeyHint);
  if (KeyState !== 'Enabled') {
    throw unusable(
      `its state is ${safeWord(KeyState)}`,
      'enable it, or name another alias with `key`',
    );
  }
  if (multiRegion && !MultiRegion) {
    throw new CredstashError(
      'USAGE',
      `${subject} is a single-region key, which cannot become a multi-Region key`,
      { hint: 'name another alias with `key`' },
    );
  }
  const status = new GetKeyRotationStatusCommand({ KeyId });
  const rotates = await sendToKms(target, 'kms:GetKeyRotationStatus', async () => {
    try {
      return (await target.kms.send(status)).KeyRotationEnabled === true;
    } catch (error) {
      if (readErrorName(error) === 'UnsupportedOperationException') return undefined;
      throw error;
    }
  });
  if (rotates) return { created: false, rotated: false, multiRegion: MultiRegion };
  if (rotates === undefined || Origin !== 'AWS_KMS') {
    throw unusable(`KMS does not rotate a key whose origin is ${safeWord(Origin)}`, otherKeyHint);
  }
  if (key.MultiRegionConfiguration?.MultiRegionKeyType === 'REPLICA') {
    const region = safeWord(key.MultiRegionConfiguration.PrimaryKey?.Region);
    throw unusable(
      `its rotation is off, and only ${region} can turn it on`,
      `run setup with \`kmsRegion: ${quote(region)}\``,
    );
  }
  await sendToKms(target, 'kms:EnableKeyRotation', () => enableRotation(target, KeyId));
  return { created: false, rotated: true, multiRegion: MultiRegion };
}

async function enableRotation({ kms }: AliasTarget, key: string): Promise<true> {
  await kms.send(new EnableKeyRotationCommand({ KeyId: key }));
  return true;
}

/** Points the alias at the key. Keeps an existing alias: it may be this key's already, if an earlier answer was lost. */
async function createAlias({ kms, alias }: AliasTarget, key: string): Promise<true> {
  try {
    await kms.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: key }));
  } catch (error) {
    if (readErrorName(error) !== 'AlreadyExistsException') throw error;
  }
  return true;
}

/**
 * Schedules the deletion of a new key that has wrapped nothing yet. Keeps the key if it has the alias, or if that cannot be
 * found out.
 *
 * @returns the key if it is kept
 */
async function discardKey(target: AliasTarget, key: string): Promise<string | undefined> {
  const schedule = new ScheduleKeyDeletionCommand({
    KeyId: key,
    PendingWindowInDays: DAYS_UNTIL_DELETION,
  });
  try {
    if ((await findKey(target))?.KeyId === key) return key;
    await sendToKms(target, 'kms:ScheduleKeyDeletion', () => target.kms.send(schedule));
    return undefined;
  } catch {
    return key;
  }
}

/** Adds a hint about the unused key to the error that ended the setup. */
function addLeftBehind(error: unknown, key: string | undefined): unknown {
  if (key === undefined || !(error instanceof CredstashError)) return error;
  const hint = `the new key ${safeWord(key)} is left behind: delete it, or give it the alias`;
  return error.reworded(error.message, hint);
}

/** Keeps an id, a region or a constant from an answer. Other text is not repeated in a message. */
function safeWord(text = 'unknown'): string {
  return /^[\w-]{1,100}$/.test(text) ? text : 'unknown';
}

function describeWhere({ alias, region }: AliasTarget): {
  service: string;
  resource: string;
  region: string;
} {
  return { service: 'KMS', resource: `the key ${alias}`, region };
}

function sendToKms<T>(target: AliasTarget, action: string, send: () => Promise<T>): Promise<T> {
  return target.retry.send(
    `KMS in ${target.region}`,
    send,
    (error) => toSetupError(target, error, action),
    target.signal,
  );
}

function toSetupError(target: AliasTarget, error: unknown, action: string): CredstashError {
  const general = translate(error, { ...describeWhere(target), action });
  if (readErrorName(error) !== 'LimitExceededException') return general;
  // A quota, not throttling: repeating the request does not help.
  return new CredstashError('KEY_UNUSABLE', `the quota of KMS in ${target.region} is used up`, {
    hint: 'ask AWS for more keys or aliases, or use an existing key with `key`',
    cause: general.cause,
  });
}

/** Repeats `send` until all of KMS knows the new key or alias. @returns the result of `send` */
function waitForKey<T>(
  target: AliasTarget,
  action: string,
  send: () => Promise<T | undefined>,
): Promise<T> {
  const attempt = (end: number): Promise<T | undefined> =>
    sendToKms(target, action, async () => {
      try {
        return await send();
      } catch (error) {
        if (readErrorName(error) === 'NotFoundException' && Date.now() < end) return undefined;
        throw error;
      }
    });
  return pollUntil(attempt, {
    resource: `the key ${target.alias}`,
    state: 'is not known to all of KMS yet',
    longestMs: LONGEST_WAIT_MS,
    timeout: () =>
      new CredstashError(
        'UNREACHABLE',
        `KMS in ${target.region} does not know ${target.alias} after ${LONGEST_WAIT_MS / 1000} seconds`,
        { hint: 'run setup again' },
      ),
    retry: target.retry,
    signal: target.signal,
  });
}
