/** Types and helpers that the providers of credentials share. */
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

/** The settings that a provider of credentials needs. */
export interface CredentialsContext {
  readonly profile?: string | undefined;
  /** The configuration for clients of STS and SSO. */
  readonly shared: ClientConfig;
  readonly region: string;
  readonly endpoints: Endpoints;
  /** Asks the person for the code of the MFA device `serial`. */
  readonly mfaCode?: ((serial: string) => Promise<string>) | undefined;
}

export const FILES_HINT =
  'see the files in ~/.aws, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE';

export const KEYS_HINT = 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';

/** Makes a NO_CREDENTIALS error. @param text follows `no AWS credentials were found` */
export function noCredentials(text: string, hint: string, cause?: Error): CredstashError {
  return new CredstashError('NO_CREDENTIALS', `no AWS credentials were found${text}`, {
    hint,
    cause,
  });
}

/** Whether a value is a string that is not empty. */
export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** An object with one property, or an empty one if `value` is undefined. For spreading. */
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

/** Marks the source of credentials as the SDK's own chain does. `doctor` shows it, and the SDK adds it to the user agent. */
export function withSource(
  identity: Identity,
  $source: Readonly<Record<string, string>>,
): Identity {
  const { $source: earlier } = identity as { $source?: object };
  return { ...identity, $source: { ...earlier, ...$source } } as Identity;
}
