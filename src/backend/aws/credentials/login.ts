/** Gets the credentials of a profile that has a login of `aws login`. */
import type { CredstashError } from '../../../errors.ts';
import { commandLine } from '../../../util/shell-word.ts';
import { endpointOption } from '../client-settings.ts';
import { findCertificateHint, readErrorName } from '../errors.ts';
import type { Section } from '../profile.ts';
import { type CredentialsContext, type Identity, noCredentials } from './identity.ts';
import { createProfileFile } from './profile-file.ts';
import { type Unanswered, watchRequests } from './watch-requests.ts';

/** Gets the credentials of the login of the profile `name`. @throws CredstashError NO_CREDENTIALS */
export async function getLoginCredentials(
  context: CredentialsContext,
  section: Section,
  name: string,
): Promise<Identity> {
  // A dynamic import, because older releases of the SDK do not export it.
  const { fromLoginCredentials } = await import('@aws-sdk/credential-providers');
  const { endpoint: _, ...rest } = context.shared;
  const watch = watchRequests(() => undefined);
  try {
    return await fromLoginCredentials({
      ...(await createProfileFile(name, section)),
      clientConfig: {
        ...rest,
        ...endpointOption(context.endpoints, 'SIGNIN'),
        extensions: [...rest.extensions, watch.extension],
        // The SDK prefers the region of the login, if that has one.
        region: section['region'] ?? context.region,
      },
    })();
  } catch (error) {
    throw toLoginError(error, name, watch.failure());
  }
}

/** Translates the SDK's error by its text, which is all that it has. The text may quote a file with keys, and is not kept. */
export function toLoginError(
  error: unknown,
  name: string,
  failure: Unanswered | undefined,
): CredstashError {
  const text = error instanceof Error ? error.message : '';
  const login = `log in: ${commandLine(['aws', 'login', '--profile', name])}`;
  const cause = new Error(readErrorName(error));
  const ofProfile = `of the profile ${name}`;
  if (failure) {
    const tail = `${failure.host} cannot be reached to renew it (${failure.code})`;
    const refused = findCertificateHint(failure.code, failure.host);
    return noCredentials(
      `: the login ${ofProfile} has expired, and ${tail}`,
      refused ?? login,
      cause,
    );
  }
  if (text.startsWith('Failed to load token')) {
    return text.includes('ENOENT')
      ? noCredentials(`: there is no login ${ofProfile}`, login, cause)
      : noCredentials(`: the file with the login ${ofProfile} is not valid`, login, cause);
  }
  if (text.includes('insufficient permissions')) {
    return noCredentials(
      `: the login ${ofProfile} has expired, and its user may not renew it (signin:CreateOAuth2Token)`,
      login,
      cause,
    );
  }
  return noCredentials(`: the login ${ofProfile} has expired`, login, cause);
}
