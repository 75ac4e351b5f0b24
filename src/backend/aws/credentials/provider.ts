/** Guards the application's own credentials provider. */
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../../errors.ts';
import { isRefusal } from '../errors.ts';
import { isText } from './identity.ts';

type Credentials = NonNullable<DynamoDBClientConfig['credentials']>;

/**
 * Wraps the application's provider, so that its errors are reported as errors of credentials, and not as errors of the request
 * that needed the credentials. Credentials that are not a function are returned unchanged.
 *
 * @returns the same credentials; the function throws CredstashError NO_CREDENTIALS, or CREDENTIALS_REFUSED for a refusal, with
 *   the application's error as `cause`
 */
export function guardProvider(credentials: Credentials): Credentials {
  if (typeof credentials !== 'function') return credentials;
  return async (...args) => {
    let identity: Awaited<ReturnType<typeof credentials>>;
    try {
      identity = await credentials(...args);
    } catch (cause) {
      if (cause instanceof CredstashError) throw cause;
      throw isRefusal(cause)
        ? new CredstashError(
            'CREDENTIALS_REFUSED',
            "the application's credentials provider was refused",
            { hint: 'see the cause of this error', cause },
          )
        : noCredentials('failed', cause);
    }
    const { accessKeyId, secretAccessKey } = Object(identity) as Partial<typeof identity>;
    if (isText(accessKeyId) && isText(secretAccessKey)) return identity;
    throw noCredentials('gave no accessKeyId and secretAccessKey');
  };
}

function noCredentials(problem: string, cause?: unknown): CredstashError {
  return new CredstashError('NO_CREDENTIALS', `the application's credentials provider ${problem}`, {
    hint: cause === undefined ? 'give both as strings' : 'see the cause of this error',
    ...(cause === undefined ? {} : { cause }),
  });
}
