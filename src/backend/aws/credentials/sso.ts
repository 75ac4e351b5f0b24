/** Gets the credentials of a profile that has an SSO login (IAM Identity Center). */
import { fromSSO } from '@aws-sdk/credential-providers';
import { CredstashError } from '../../../errors.ts';
import { commandLine } from '../../../util/shell-word.ts';
import { findCertificateHint, readErrorName } from '../errors.ts';
import type { AwsFiles, Section } from '../profile.ts';
import { type CredentialsContext, type Identity, noCredentials } from './identity.ts';
import { createProfileFile } from './profile-file.ts';
import { type Unanswered, watchRequests } from './watch-requests.ts';

/**
 * Gets the credentials of the SSO login of the profile `name`.
 *
 * @throws CredstashError NO_CREDENTIALS for incomplete settings and for a missing or expired login; UNREACHABLE
 */
export async function getSsoCredentials(
  context: CredentialsContext,
  files: AwsFiles,
  section: Section,
  name: string,
): Promise<Identity> {
  const session = section['sso_session'];
  const shared = session === undefined ? undefined : files.ssoSessions.get(session);
  if (session !== undefined && !shared) {
    const names = [...files.ssoSessions.keys()];
    throw noCredentials(
      `: the profile ${name} names the sso-session ${session}, which does not exist`,
      names.length === 0
        ? 'create it: aws configure sso-session'
        : `there are: ${names.join(', ')}`,
    );
  }
  const all: Section = { ...section, ...shared };
  for (const key of ['sso_start_url', 'sso_region', 'sso_account_id', 'sso_role_name']) {
    if (all[key]) continue;
    const hint = commandLine(['aws', 'configure', 'sso', '--profile', name]);
    throw noCredentials(`: the profile ${name} has no ${key}`, `set it up: ${hint}`);
  }
  const { endpoint: _, ...rest } = context.shared;
  const { SSO, SSO_OIDC } = context.endpoints;
  // The SDK gives the client that renews a login (SSO OIDC) the endpoint of SSO. Changing the endpoint here breaks no signature,
  // because neither client signs its requests.
  const watch = watchRequests(({ path }) =>
    path.endsWith('/token') ? SSO_OIDC?.value : SSO?.value,
  );
  const provider = fromSSO({
    ssoStartUrl: all['sso_start_url'] ?? '',
    ssoRegion: all['sso_region'] ?? '',
    ssoAccountId: all['sso_account_id'] ?? '',
    ssoRoleName: all['sso_role_name'] ?? '',
    ...(session === undefined ? {} : { ssoSession: session }),
    ...(await createProfileFile(name, all, session, shared)),
    // Without a region: the SDK would prefer the table's region to that of the session.
    clientConfig: { ...rest, extensions: [...rest.extensions, watch.extension] },
  });
  try {
    return await provider();
  } catch (error) {
    throw toSsoError(error, all, name, watch.failure());
  }
}

/** Translates the SDK's error by its text, which begins with the name of the service's error, or says what the token lacks. */
export function toSsoError(
  error: unknown,
  section: Section,
  name: string,
  failure: Unanswered | undefined,
): CredstashError {
  const text = error instanceof Error ? error.message : '';
  const [, answered] = /^(?:Error: )?([A-Za-z]{1,60}(?:Exception|Error))\b/.exec(text) ?? [];
  const login = `log in: ${commandLine(['aws', 'sso', 'login', '--profile', name])}`;
  const ofProfile = `of the profile ${name}`;
  const refused = failure && findCertificateHint(failure.code, failure.host);
  if (/\bexpired\b|Cannot refresh/i.test(text) || answered === 'UnauthorizedException') {
    const tail = failure && `, and ${failure.host} cannot be reached to renew it (${failure.code})`;
    return noCredentials(`: the SSO login ${ofProfile} has expired${tail ?? ''}`, refused ?? login);
  }
  if (/not found or is invalid|is invalid\.|Value not present/.test(text)) {
    return noCredentials(`: there is no SSO login ${ofProfile}`, login);
  }
  if (answered === 'ForbiddenException' || answered === 'ResourceNotFoundException') {
    const { sso_role_name: role = '', sso_account_id: account = '' } = section;
    return noCredentials(
      `: SSO does not give the role ${role} of the account ${account} to the login ${ofProfile} (${answered})`,
      login,
    );
  }
  const code = failure?.code ?? answered ?? readErrorName(error);
  const place = failure ? `, ${failure.host}` : '';
  return new CredstashError(
    'UNREACHABLE',
    `SSO in ${section['sso_region'] ?? ''} gave no credentials for the profile ${name} (${code}${place})`,
    { hint: refused ?? 'check the network and sso_region', cause: new Error(`SSO: ${code}`) },
  );
}
