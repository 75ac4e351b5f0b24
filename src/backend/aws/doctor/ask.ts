/** Types and helpers that the checks of AWS share. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KMSClient } from '@aws-sdk/client-kms';
import { type CredstashError, hasCode } from '../../../errors.ts';
import type { TrustedKeys } from '../../../model/trust.ts';
import { attempt } from '../../diagnosis.ts';
import type { ClientConfig, Endpoints } from '../client-settings.ts';
import type { AwsSettings } from '../settings.ts';
import { type SendOptions, createSendOptions } from '../throttle-retry.ts';

/** The opened table and key, and their settings, for the checks. */
export interface OpenedAws {
  readonly settings: AwsSettings;
  readonly region: { readonly dynamodb: string; readonly kms: string };
  readonly shared: ClientConfig;
  readonly endpoints: Endpoints;
  readonly dynamodb: DynamoDBClient;
  readonly kms: KMSClient;
  readonly trusted: TrustedKeys | undefined;
  /** Registers a function that is called when the backend closes. */
  readonly closeLater: (close: () => void) => void;
}

/** Whether an error leaves the answer open: the caller may not look, or the service does not know the operation. */
export function isUnknown(error: CredstashError): boolean {
  return hasCode(error, 'ACCESS_DENIED', 'UNEXPECTED');
}

/** Makes words of a constant of AWS: `PAY_PER_REQUEST` becomes `pay per request`. */
export function toWords(constant = '?'): string {
  return constant.toLowerCase().replaceAll('_', ' ');
}

/**
 * Sends a request of a check.
 *
 * @param toError translates the SDK's error
 * @returns the answer or the translated error
 * @throws the reason of `signal`
 */
export function sendProbe<T>(
  signal: AbortSignal | undefined,
  send: (options: SendOptions) => Promise<T>,
  toError: (error: unknown) => CredstashError,
): Promise<T | CredstashError> {
  return attempt(async () => {
    try {
      return await send(createSendOptions(signal));
    } catch (error) {
      throw toError(error);
    }
  }, signal);
}
