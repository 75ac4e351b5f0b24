/** Checks the KMS key. */
import {
  DescribeKeyCommand,
  GetKeyRotationStatusCommand,
  type KeyMetadata,
} from '@aws-sdk/client-kms';
import { CredstashError } from '../../../errors.ts';
import {
  attempt,
  type CheckOptions,
  failedStep,
  okStep,
  type Step,
  unknownStep,
  untrustedKey,
  warningStep,
} from '../../diagnosis.ts';
import { translateKmsError } from '../key-service.ts';
import type { SendOptions } from '../throttle-retry.ts';
import { sendProbe, isUnknown, type OpenedAws, toWords } from './ask.ts';

/** How to make a key usable again, by its state. The key's id follows. */
export const HINT_OF_STATE: Readonly<Record<string, string>> = {
  Disabled: 'enable it: aws kms enable-key --key-id',
  PendingDeletion: 'keep it: aws kms cancel-key-deletion --key-id',
};

/** Checks whether the key can make data keys. @returns true also if the caller may not look at the key */
export async function* checkKey(
  opened: OpenedAws,
  { write, signal }: CheckOptions,
): AsyncGenerator<Step, boolean> {
  const { kms, region, settings, trusted } = opened;
  const askKey = <T>(action: string, send: (options: SendOptions) => Promise<T>) =>
    sendProbe(signal, send, (error) =>
      translateKmsError(error, action, `the key ${settings.key}`, region.kms),
    );
  const description = await askKey('kms:DescribeKey', (options) =>
    kms.send(new DescribeKeyCommand({ KeyId: settings.key }), options),
  );
  if (description instanceof CredstashError) {
    const mayBeUsable = isUnknown(description);
    yield mayBeUsable
      ? unknownStep('key', 'what it is like', description)
      : failedStep('key', description);
    return mayBeUsable;
  }
  const { KeyMetadata: metadata } = description;
  if (!metadata) {
    yield { title: 'key', state: 'unknown', found: 'KMS does not tell about it' };
    return true;
  }
  const step = createKeyStep(metadata, `${settings.key} in ${region.kms}`);
  yield step;
  if (step.state === 'failed') return false;
  const distrust = await attempt(() => trusted?.checkKey(metadata.Arn, settings.key), signal);
  if (distrust) yield untrustedKey(distrust, write);
  // This request does not accept an alias.
  const rotationStatus = new GetKeyRotationStatusCommand({ KeyId: metadata.KeyId });
  const rotation = await askKey('kms:GetKeyRotationStatus', (options) =>
    kms.send(rotationStatus, options),
  );
  if (rotation instanceof CredstashError) {
    yield unknownStep('key', 'whether its automatic rotation is on', rotation);
  } else if (rotation.KeyRotationEnabled) yield okStep('key', 'its automatic rotation is on');
  else {
    const hint = `turn it on: aws kms enable-key-rotation --key-id ${metadata.KeyId ?? ''} (\`setup({ createKey: true })\` makes a key with it)`;
    yield warningStep('key', 'its automatic rotation is off', hint);
  }
  return !distrust;
}

/** Makes the step of a described key. @param where the key and its region, for the person */
export function createKeyStep(metadata: KeyMetadata, where: string): Step {
  const { KeyState = '?', KeySpec, KeyUsage, KeyId = '', Arn = '', MultiRegion } = metadata;
  const unusable = (found: string, hint: string): Step =>
    failedStep('key', new CredstashError('KEY_UNUSABLE', `${where} ${found}`, { hint }));
  if (KeySpec !== 'SYMMETRIC_DEFAULT' || KeyUsage !== 'ENCRYPT_DECRYPT') {
    const kind = `${KeySpec ?? '?'}, ${toWords(KeyUsage)}`;
    return unusable(
      `makes no data keys (${kind})`,
      'name a symmetric key to encrypt with, with `key`',
    );
  }
  if (KeyState !== 'Enabled') {
    const remedy = HINT_OF_STATE[KeyState];
    return unusable(`is ${KeyState}`, remedy ? `${remedy} ${KeyId}` : 'name another with `key`');
  }
  return okStep(
    'key',
    `${where}: enabled, ${MultiRegion ? 'multi-region' : 'of one region'}, ${Arn}`,
  );
}
