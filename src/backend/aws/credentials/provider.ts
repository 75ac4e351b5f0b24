/** Credentials that the application gives by a function of its own. */
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../../errors.ts';
import { isRefusal } from '../errors.ts';
import { isText } from './identity.ts';

type Credentials = NonNullable<DynamoDBClientConfig['credentials']>;

/**
 * The same credentials. An error of the application's function is told as one of credentials, and not as one of the request that
 * needed them.
 *
 * @throws CredstashError, from the function: NO_CREDENTIALS, or CREDENTIALS_REFUSED for a refusal; `cause` is the application's own error
 */
export function guardProvider(credentials: Credentials): Credentials {
  if (typeof credentials !== 'function') return credentials;
  return async (...args) => {
    let given: Awaited<ReturnType<typeof credentials>>;
    try {
      given = await credentials(...args);
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
    const { accessKeyId, secretAccessKey } = Object(given) as Partial<typeof given>;
    if (isText(accessKeyId) && isText(secretAccessKey)) return given;
    throw noCredentials('gave no accessKeyId and secretAccessKey');
  };
}

function noCredentials(what: string, cause?: unknown): CredstashError {
  return new CredstashError('NO_CREDENTIALS', `the application's credentials provider ${what}`, {
    hint: cause === undefined ? 'give both as strings' : 'see the cause of this error',
    ...(cause === undefined ? {} : { cause }),
  });
}
