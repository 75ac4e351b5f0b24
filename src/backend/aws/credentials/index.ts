/**
 * Gets credentials from a profile, a web identity, a container or an instance, in this order. This replaces the SDK's own
 * chain, which silently continues after a failed step, reports errors that quote a program's output, and sends STS requests
 * to the endpoint of AWS_PROFILE.
 */
import { fromEnv } from '@aws-sdk/credential-providers';
import { CredstashError } from '../../../errors.ts';
import { commandLine } from '../../../util/shell-word.ts';
import { CREDENTIALS_HINT } from '../errors.ts';
import {
  type AwsFiles,
  findSessionName,
  findProfileName,
  readAwsFiles,
  type Section,
} from '../profile.ts';
import { describeChain, findKind } from './chain.ts';
import {
  type CredentialsContext,
  FILES_HINT,
  type Identity,
  KEYS_HINT,
  withSource,
  noCredentials,
  optionalProperty,
} from './identity.ts';
import { getLoginCredentials } from './login.ts';
import { getContainerCredentials, getInstanceCredentials, hasContainer } from './metadata.ts';
import { runProcess } from './process.ts';
import { assumeRole, assumeWithToken } from './role.ts';
import { getSsoCredentials } from './sso.ts';

/**
 * Gets credentials from the first source that is configured.
 *
 * @throws CredstashError NO_CREDENTIALS, which names the profile and what failed; CREDENTIALS_REFUSED, ACCESS_DENIED or
 *   UNREACHABLE from STS and SSO
 */
export async function getCredentials(context: CredentialsContext): Promise<Identity> {
  const files = readAwsFiles();
  try {
    return await findIdentity(context, files);
  } catch (error) {
    if (!(error instanceof CredstashError) || error.cause !== undefined) throw error;
    const chain = describeChain(context, files).map(({ words }) => words);
    throw new CredstashError(error.code, error.message, {
      hint: error.hint,
      cause: new Error(`credentials: ${chain.join(' <- ')}`),
    });
  }
}

async function findIdentity(context: CredentialsContext, files: AwsFiles): Promise<Identity> {
  const [id, secret] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
  if (context.profile === undefined && Boolean(process.env[id]) !== Boolean(process.env[secret])) {
    const [present, missing] = process.env[id] ? [id, secret] : [secret, id];
    throw noCredentials(`: ${present} is set, and ${missing} is not`, 'set both, or neither');
  }
  const name = findProfileName(context);
  const section = files.profiles.get(name ?? 'default');
  if (!section && name !== undefined) throw profileNotFound(name, files);
  if (section && findKind(section, false) !== undefined) {
    return getProfileCredentials(context, files, name ?? 'default', []);
  }
  const role = process.env['AWS_ROLE_ARN'];
  const token = process.env['AWS_WEB_IDENTITY_TOKEN_FILE'];
  if (role && token) {
    const from = 'AWS_WEB_IDENTITY_TOKEN_FILE';
    return assumeWithToken(context, role, token, findSessionName(), from);
  }
  if (hasContainer()) return getContainerCredentials();
  const tail = section ? `: the profile ${name ?? 'default'} has none` : '';
  const unreadable = files.unreadable.map(({ path, code }) => `; ${path} cannot be read (${code})`);
  const [broken] = files.unreadable;
  const notFound = noCredentials(`${tail}${unreadable.join('')}`, CREDENTIALS_HINT, broken?.fault);
  // boto accepts only `true`. Here any other value disables the service too, except 0, no and off, which people write to
  // keep it enabled.
  if (/^(?!(?:false|0|no|off)$)./i.test(process.env['AWS_EC2_METADATA_DISABLED'] ?? '')) {
    throw notFound;
  }
  return getInstanceCredentials(context, files, notFound);
}

/** Gets a profile's credentials. @param path the profiles that lead to this one by `source_profile` */
async function getProfileCredentials(
  context: CredentialsContext,
  files: AwsFiles,
  name: string,
  path: readonly string[],
): Promise<Identity> {
  const section = files.profiles.get(name);
  const parent = path.at(-1);
  if (!section) {
    const detail = ` is the source_profile of ${parent ?? ''}, and`;
    throw profileNotFound(name, files, parent === undefined ? '' : detail);
  }
  const kind = findKind(section, path.length > 0);
  if (path.includes(name) && kind === 'role') {
    throw noCredentials(
      `: source_profile leads in a circle: ${[...path, name].join(' -> ')}`,
      FILES_HINT,
    );
  }
  switch (kind) {
    case 'keys':
      return getKeys(section, name);
    case 'role':
      return assumeRole(context, section, name, () => {
        const { source_profile: profile, credential_source: source = '' } = section;
        return profile === undefined
          ? getSourceCredentials(context, files, source, name)
          : getProfileCredentials(context, files, profile, [...path, name]);
      });
    case 'web identity': {
      const { role_arn: role = '', web_identity_token_file: token = '' } = section;
      const session = findSessionName(section, name);
      const detail = `web_identity_token_file of the profile ${name}`;
      return assumeWithToken(context, role, token, session, detail);
    }
    case 'process':
      return runProcess(section['credential_process'] ?? '', section, name);
    case 'sso':
      return getSsoCredentials(context, files, section, name);
    case 'login':
      return getLoginCredentials(context, section, name);
    case 'source':
      return getSourceCredentials(context, files, section['credential_source'] ?? '', name);
    case undefined:
      throw noCredentials(
        `: the profile ${name}, which is the source_profile of ${parent ?? name}, has none`,
        FILES_HINT,
      );
  }
}

function getKeys(section: Section, name: string): Identity {
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey } = section;
  if (!accessKeyId || !secretAccessKey) {
    const missing = accessKeyId ? 'aws_secret_access_key' : 'aws_access_key_id';
    throw noCredentials(`: the profile ${name} has no ${missing}`, FILES_HINT);
  }
  return withSource(
    {
      accessKeyId,
      secretAccessKey,
      ...optionalProperty('sessionToken', section['aws_session_token']),
      ...optionalProperty('credentialScope', section['aws_credential_scope']),
      ...optionalProperty('accountId', section['aws_account_id']),
    },
    { CREDENTIALS_PROFILE: 'n' },
  );
}

/** Gets the credentials that the `credential_source` of the profile `name` names. */
async function getSourceCredentials(
  context: CredentialsContext,
  files: AwsFiles,
  source: string,
  name: string,
): Promise<Identity> {
  const detail = `: the profile ${name} has credential_source ${source}, and`;
  switch (source) {
    case 'Environment':
      try {
        return await fromEnv()();
      } catch {
        throw noCredentials(
          `${detail} AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set`,
          KEYS_HINT,
        );
      }
    case 'EcsContainer':
      if (hasContainer()) return getContainerCredentials();
      throw noCredentials(
        `${detail} neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set`,
        FILES_HINT,
      );
    case 'Ec2InstanceMetadata':
      return getInstanceCredentials(context, files);
    default:
      throw noCredentials(
        `: credential_source of the profile ${name} must be Environment, EcsContainer or Ec2InstanceMetadata`,
        FILES_HINT,
      );
  }
}

function profileNotFound(name: string, files: AwsFiles, detail = ''): CredstashError {
  const [broken] = files.unreadable;
  if (broken) {
    return noCredentials(
      `: the profile ${name}${detail} cannot be looked up: ${broken.path} cannot be read (${broken.code})`,
      `let this user read it: ${commandLine(['ls', '-l', broken.path])}`,
      broken.fault,
    );
  }
  const names = [...files.profiles.keys()];
  const hint =
    names.length === 0
      ? `there are no profiles in ${files.paths.join(' and ')}`
      : `the profiles are: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`;
  return noCredentials(`: the profile ${name}${detail} does not exist`, hint);
}
