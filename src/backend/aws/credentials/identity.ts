/** What the providers of credentials have in common. */
import { CredstashError } from '../../../errors.ts';
import type { ClientConfig, Endpoints } from '../client-settings.ts';

/** Credentials, as the SDK's clients take them. */
export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
  readonly accountId?: string;
}

export interface CredentialsContext {
  readonly profile?: string | undefined;
  /** What the clients of STS and SSO are made with. */
  readonly shared: ClientConfig;
  readonly region: string;
  readonly endpoints: Endpoints;
  readonly mfaCode?: ((serial: string) => Promise<string>) | undefined;
}

export const FILES_HINT =
  'see the files in ~/.aws, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE';

export const KEYS_HINT = 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';

export function noCredentials(text: string, hint: string, cause?: Error): CredstashError {
  return new CredstashError('NO_CREDENTIALS', `no AWS credentials were found${text}`, {
    hint,
    cause,
  });
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

export function optionalProperty<K extends string>(
  key: K,
  value: string | undefined,
): {
  [key in K]?: string;
} {
  return (value === undefined ? {} : { [key]: value }) as {
    [key in K]?: string;
  };
}

/** Marks where credentials are from, as the SDK's own chain does: `doctor` shows it, and the SDK's user agent has it. */
export function withSource(
  identity: Identity,
  $source: Readonly<Record<string, string>>,
): Identity {
  const { $source: before } = identity as { $source?: object };
  return { ...identity, $source: { ...before, ...$source } } as Identity;
}
