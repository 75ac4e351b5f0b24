/** What the checks of AWS have in common. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { KMSClient } from '@aws-sdk/client-kms';
import { type CredstashError, hasCode } from '../../../errors.ts';
import type { TrustedKeys } from '../../../model/trust.ts';
import { attempt } from '../../diagnosis.ts';
import type { ClientConfig, Endpoints } from '../client-settings.ts';
import type { AwsSettings } from '../settings.ts';
import { type SendOptions, createSendOptions } from '../throttle-retry.ts';

/** What the checks look at. */
export interface OpenedAws {
  readonly settings: AwsSettings;
  readonly region: { readonly dynamodb: string; readonly kms: string };
  readonly shared: ClientConfig;
  readonly endpoints: Endpoints;
  readonly dynamodb: DynamoDBClient;
  readonly kms: KMSClient;
  readonly trusted: TrustedKeys | undefined;
  /** Told of what is to be closed with the backend. */
  readonly closeLater: (close: () => void) => void;
}

/** Whether nothing is wrong but that one may not look, or the service does not know the operation. */
export function isUnknown(error: CredstashError): boolean {
  return hasCode(error, 'ACCESS_DENIED', 'UNEXPECTED');
}

export function toWords(constant = '?'): string {
  return constant.toLowerCase().replaceAll('_', ' ');
}

export function sendProbe<T>(
  signal: AbortSignal | undefined,
  send: (options: SendOptions) => Promise<T>,
  translated: (error: unknown) => CredstashError,
): Promise<T | CredstashError> {
  return attempt(async () => {
    try {
      return await send(createSendOptions(signal));
    } catch (error) {
      throw translated(error);
    }
  }, signal);
}
