/** Gets the credentials of a role from STS. */
import { commandLine } from '../../../util/shell-word.ts';
import { endpointOption } from '../client-settings.ts';
import { translate } from '../errors.ts';
import { rememberFailedHost } from '../failed-host.ts';
import { findSessionName, type Section } from '../profile.ts';
import { describeValue } from './chain.ts';
import {
  type CredentialsContext,
  FILES_HINT,
  type Identity,
  withSource,
  noCredentials,
  optionalProperty,
} from './identity.ts';
import { readToken } from './token.ts';

function createStsOptions({ shared, endpoints }: CredentialsContext, region: string) {
  const { endpoint: _, ...rest } = shared;
  return { ...rest, ...endpointOption(endpoints, 'STS'), region };
}

/**
 * Assumes the role of a profile.
 *
 * @param name of the profile, for messages
 * @param getSource gets the credentials that may assume the role. It is called after the profile's settings are checked.
 * @throws CredstashError NO_CREDENTIALS, USAGE, and the errors of STS
 */
export async function assumeRole(
  context: CredentialsContext,
  section: Section,
  name: string,
  getSource: () => Promise<Identity>,
): Promise<Identity> {
  const { role_arn: role = '', source_profile: profile, credential_source: source } = section;
  if (profile !== undefined && source !== undefined) {
    const problem = `: the profile ${name} has both a source_profile and a credential_source`;
    throw noCredentials(problem, FILES_HINT);
  }
  const serial = section['mfa_serial'];
  if (serial !== undefined && !context.mfaCode) {
    const problem = `: the profile ${name} needs a code of the MFA device ${serial}, and nobody can be asked`;
    throw noCredentials(problem, 'use a profile without mfa_serial');
  }
  // Check the settings first: getSource may send requests.
  const session = findSessionName(section, name) ?? `credstash-${Date.now()}`;
  const duration = section['duration_seconds'] ?? '3600';
  if (!/^\d{1,6}$/.test(duration)) {
    throw noCredentials(`: duration_seconds of the profile ${name} is not a number`, FILES_HINT);
  }
  const identity = await getSource();
  const code = serial !== undefined && (await context.mfaCode?.(serial));
  const { getDefaultRoleAssumer } = await import('@aws-sdk/client-sts');
  const region = section['region'] ?? context.region;
  const assume = getDefaultRoleAssumer(createStsOptions(context, region), [rememberFailedHost]);
  try {
    return withSource(
      await assume(identity, {
        RoleArn: role,
        RoleSessionName: session,
        DurationSeconds: Number(duration),
        ...optionalProperty('ExternalId', section['external_id']),
        ...(serial === undefined || code === false
          ? {}
          : { SerialNumber: serial, TokenCode: code }),
      }),
      { CREDENTIALS_PROFILE_SOURCE_PROFILE: 'o' },
    );
  } catch (error) {
    const resource = `the role ${describeValue(role)} of the profile ${name}`;
    throw translate(error, { service: 'STS', action: 'sts:AssumeRole', resource, region });
  }
}

/**
 * Assumes a role with the token of a web identity.
 *
 * @param role its ARN
 * @param path the token file
 * @param session the name of the role's session; default: one with the time
 * @param from the setting that names the token file, for messages
 * @throws CredstashError NO_CREDENTIALS if the file cannot be read, and the errors of STS
 */
export async function assumeWithToken(
  context: CredentialsContext,
  role: string,
  path: string,
  session: string | undefined,
  from: string,
): Promise<Identity> {
  const token = readToken(path, from);
  const { getDefaultRoleAssumerWithWebIdentity } = await import('@aws-sdk/client-sts');
  const assume = getDefaultRoleAssumerWithWebIdentity(createStsOptions(context, context.region), [
    rememberFailedHost,
  ]);
  try {
    return withSource(
      await assume({
        RoleArn: role,
        RoleSessionName: session ?? `credstash-${Date.now()}`,
        WebIdentityToken: token,
      }),
      { CREDENTIALS_STS_ASSUME_ROLE_WEB_ID: 'k' },
    );
  } catch (error) {
    const failure = translate(error, {
      service: 'STS',
      action: 'sts:AssumeRoleWithWebIdentity',
      resource: `the role ${role}`,
      region: context.region,
    });
    if (failure.code !== 'CREDENTIALS_REFUSED' || !/\s$/.test(token)) throw failure;
    throw failure.reworded(
      `${failure.message}: the token file (${from}) ends in a newline`,
      `write it without one: printf %s "$TOKEN" > ${commandLine([path])}`,
    );
  }
}
