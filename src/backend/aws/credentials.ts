/**
 * The credentials of a profile, and what comes after profiles: a web identity, a container, an instance. Each step is one
 * provider of the SDK's. The steps are walked here because the SDK's own chain goes on silently after a step that failed,
 * tells its reason in texts that quote a program's output, and asks STS at the endpoint of AWS_PROFILE.
 */
import { exec } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fromEnv, fromHttp, fromLoginCredentials, fromSSO } from '@aws-sdk/credential-providers';
import { externalDataInterceptor } from '@smithy/core/config';
import { HttpRequest } from '@smithy/core/protocols';
import { CredstashError } from '../../errors.ts';
import { commandLine } from '../../util/shell-word.ts';
import { bareFault } from '../../util/system-faults.ts';
import { endpointOption, type Endpoints, findInstanceEndpoint } from './client-settings.ts';
import type { ClientConfig } from './settings.ts';
import { CREDENTIALS_HINT, hintOfCertificate, nameOf, translate } from './errors.ts';
import { rememberFailedHost } from './failed-host.ts';
import { type guardRequests, refuseAnyCertificate, wrapHandler } from './http.ts';
import {
  type AwsFiles,
  findSessionName,
  isRoleArn,
  profileNameOf,
  readAwsFiles,
  type Section,
} from './profile.ts';

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

/** Where a profile's credentials come from. */
type Kind = 'role' | 'keys' | 'web identity' | 'process' | 'sso' | 'login' | 'source';

/** @param isSource whether another profile takes its credentials from this one */
function kindOf(section: Section, isSource: boolean): Kind | undefined {
  const { role_arn: role, source_profile: source, credential_source: named } = section;
  const hasKeys = 'aws_access_key_id' in section || 'aws_secret_access_key' in section;
  if (isSource && hasKeys) return 'keys';
  if (role !== undefined && (source ?? named) !== undefined) return 'role';
  if (hasKeys) return 'keys';
  if (role !== undefined && 'web_identity_token_file' in section) return 'web identity';
  if ('credential_process' in section) return 'process';
  if (Object.keys(section).some((key) => SSO_KEYS.includes(key))) return 'sso';
  if ('login_session' in section) return 'login';
  return isSource && named !== undefined ? 'source' : undefined;
}

const SSO_KEYS = ['sso_start_url', 'sso_account_id', 'sso_session', 'sso_region', 'sso_role_name'];

/** One profile of a chain, for a person: `profile ops: role arn:aws:iam::123456789012:role/x`. */
export interface ChainLink {
  readonly kind: Kind | undefined;
  readonly words: string;
}

/** The profiles that credentials come from, the one in use first. Nothing is run or asked. */
export function describeChain(
  settings: { readonly profile?: string | undefined },
  files: AwsFiles = readAwsFiles(),
): ChainLink[] {
  const links: ChainLink[] = [];
  const seen = new Set<string>();
  let name = profileNameOf(settings) ?? 'default';
  for (;;) {
    const section = files.profiles.get(name);
    const isSeen = seen.has(name);
    const kind = section && kindOf(section, seen.size > 0);
    const what = section
      ? isSeen && kind === 'role'
        ? 'a loop'
        : wordsOf(section, kind)
      : 'missing';
    links.push({ kind, words: `profile ${name}: ${what}` });
    const source = section?.['source_profile'];
    if (kind !== 'role' || isSeen || source === undefined) return links;
    seen.add(name);
    name = source;
  }
}

/** A setting that can be shown: an ARN of a role or a source's name. Anything else may be a secret in the wrong place. */
function wordOf(value = ''): string {
  const isKnown =
    isRoleArn(value) || ['Environment', 'Ec2InstanceMetadata', 'EcsContainer'].includes(value);
  return isKnown ? value : '(not a valid value)';
}

function wordsOf(section: Section, kind: Kind | undefined): string {
  const { credential_source: source } = section;
  const named = source === undefined ? '' : ` with the credentials of ${wordOf(source)}`;
  switch (kind) {
    case 'role':
      return `role ${wordOf(section['role_arn'])}${named}`;
    case 'keys':
      return 'access keys in the file';
    case 'web identity':
      return `web identity for the role ${wordOf(section['role_arn'])}`;
    case 'process':
      return 'credential_process';
    case 'sso':
      return section['sso_session'] ? `sso-session ${section['sso_session']}` : 'SSO';
    case 'login':
      return 'aws login';
    case 'source':
      return `the credentials of ${named}`;
    case undefined:
      return 'no credentials';
  }
}

/**
 * Gets credentials.
 *
 * @throws CredstashError NO_CREDENTIALS, which says what failed and of which profile; CREDENTIALS_REFUSED, ACCESS_DENIED and
 *   UNREACHABLE of STS and SSO
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
    const [there, absent] = process.env[id] ? [id, secret] : [secret, id];
    throw missing(`: ${there} is set, and ${absent} is not`, 'set both, or neither');
  }
  const name = profileNameOf(context);
  const section = files.profiles.get(name ?? 'default');
  if (!section && name !== undefined) throw profileNotFound(name, files);
  if (section && kindOf(section, false) !== undefined) {
    return getOfProfile(context, files, name ?? 'default', []);
  }
  const role = process.env['AWS_ROLE_ARN'];
  const token = process.env['AWS_WEB_IDENTITY_TOKEN_FILE'];
  if (role && token) {
    const from = 'AWS_WEB_IDENTITY_TOKEN_FILE';
    return assumeWithToken(context, role, token, findSessionName(), from);
  }
  if (hasContainer()) return getOfContainer();
  const tail = section ? `: the profile ${name ?? 'default'} has none` : '';
  const unreadable = files.unreadable.map(({ path, code }) => `; ${path} cannot be read (${code})`);
  const [broken] = files.unreadable;
  const nothing = missing(`${tail}${unreadable.join('')}`, CREDENTIALS_HINT, broken?.fault);
  // boto knows `true` only. Nobody writes 1 to turn it on, but some write 0 to leave it on.
  if (/^(?!(?:false|0|no|off)$)./i.test(process.env['AWS_EC2_METADATA_DISABLED'] ?? '')) {
    throw nothing;
  }
  return getOfInstance(context, files, nothing);
}

async function getOfProfile(
  context: CredentialsContext,
  files: AwsFiles,
  name: string,
  path: readonly string[],
): Promise<Identity> {
  const section = files.profiles.get(name);
  const parent = path.at(-1);
  if (!section) {
    const of = ` is the source_profile of ${parent ?? ''}, and`;
    throw profileNotFound(name, files, parent === undefined ? '' : of);
  }
  const kind = kindOf(section, path.length > 0);
  if (path.includes(name) && kind === 'role') {
    throw missing(
      `: source_profile leads in a circle: ${[...path, name].join(' -> ')}`,
      FILES_HINT,
    );
  }
  switch (kind) {
    case 'keys':
      return getKeys(section, name);
    case 'role':
      return assumeRole(context, files, section, name, path);
    case 'web identity': {
      const { role_arn: role = '', web_identity_token_file: token = '' } = section;
      const session = findSessionName(section, name);
      const of = `web_identity_token_file of the profile ${name}`;
      return assumeWithToken(context, role, token, session, of);
    }
    case 'process':
      return runProcess(section['credential_process'] ?? '', section, name);
    case 'sso':
      return getOfSso(context, files, section, name);
    case 'login':
      return getOfLogin(context, section, name);
    case 'source':
      return getOfSource(context, files, section['credential_source'] ?? '', name);
    case undefined:
      throw missing(
        `: the profile ${name}, which is the source_profile of ${parent ?? name}, has none`,
        FILES_HINT,
      );
  }
}

function getKeys(section: Section, name: string): Identity {
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey } = section;
  if (!accessKeyId || !secretAccessKey) {
    const absent = accessKeyId ? 'aws_secret_access_key' : 'aws_access_key_id';
    throw missing(`: the profile ${name} has no ${absent}`, FILES_HINT);
  }
  return marked(
    {
      accessKeyId,
      secretAccessKey,
      ...optional('sessionToken', section['aws_session_token']),
      ...optional('credentialScope', section['aws_credential_scope']),
      ...optional('accountId', section['aws_account_id']),
    },
    { CREDENTIALS_PROFILE: 'n' },
  );
}

async function assumeRole(
  context: CredentialsContext,
  files: AwsFiles,
  section: Section,
  name: string,
  path: readonly string[],
): Promise<Identity> {
  const { role_arn: role = '', source_profile: source, credential_source: named } = section;
  if (source !== undefined && named !== undefined) {
    const both = `: the profile ${name} has both a source_profile and a credential_source`;
    throw missing(both, FILES_HINT);
  }
  const serial = section['mfa_serial'];
  if (serial !== undefined && !context.mfaCode) {
    const ask = `: the profile ${name} needs a code of the MFA device ${serial}, and nobody can be asked`;
    throw missing(ask, 'use a profile without mfa_serial');
  }
  // Before the source's credentials are got, which may take requests.
  const session = findSessionName(section, name) ?? `credstash-${Date.now()}`;
  const duration = section['duration_seconds'] ?? '3600';
  if (!/^\d{1,6}$/.test(duration)) {
    throw missing(`: duration_seconds of the profile ${name} is not a number`, FILES_HINT);
  }
  const identity =
    source === undefined
      ? await getOfSource(context, files, named ?? '', name)
      : await getOfProfile(context, files, source, [...path, name]);
  const code = serial !== undefined && (await context.mfaCode?.(serial));
  const { getDefaultRoleAssumer } = await import('@aws-sdk/client-sts');
  const region = section['region'] ?? context.region;
  const assume = getDefaultRoleAssumer(stsOptions(context, region), [rememberFailedHost]);
  try {
    return marked(
      await assume(identity, {
        RoleArn: role,
        RoleSessionName: session,
        DurationSeconds: Number(duration),
        ...optional('ExternalId', section['external_id']),
        ...(serial === undefined || code === false
          ? {}
          : { SerialNumber: serial, TokenCode: code }),
      }),
      { CREDENTIALS_PROFILE_SOURCE_PROFILE: 'o' },
    );
  } catch (error) {
    const resource = `the role ${wordOf(role)} of the profile ${name}`;
    throw translate(error, { service: 'STS', action: 'sts:AssumeRole', resource, region });
  }
}

async function getOfSource(
  context: CredentialsContext,
  files: AwsFiles,
  source: string,
  name: string,
): Promise<Identity> {
  const of = `: the profile ${name} has credential_source ${source}, and`;
  switch (source) {
    case 'Environment':
      try {
        return await fromEnv()();
      } catch {
        throw missing(`${of} AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set`, KEYS_HINT);
      }
    case 'EcsContainer':
      if (hasContainer()) return getOfContainer();
      throw missing(
        `${of} neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set`,
        FILES_HINT,
      );
    case 'Ec2InstanceMetadata':
      return getOfInstance(context, files);
    default:
      throw missing(
        `: credential_source of the profile ${name} must be Environment, EcsContainer or Ec2InstanceMetadata`,
        FILES_HINT,
      );
  }
}

async function assumeWithToken(
  context: CredentialsContext,
  role: string,
  path: string,
  session: string | undefined,
  from: string,
): Promise<Identity> {
  const token = readToken(path, from);
  const { getDefaultRoleAssumerWithWebIdentity } = await import('@aws-sdk/client-sts');
  const assume = getDefaultRoleAssumerWithWebIdentity(stsOptions(context, context.region), [
    rememberFailedHost,
  ]);
  try {
    return marked(
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

function stsOptions({ shared, endpoints }: CredentialsContext, region: string) {
  const { endpoint: _, ...rest } = shared;
  return { ...rest, ...endpointOption(endpoints, 'STS'), region };
}

function readToken(path: string, from: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw missing(
      `: the token file ${path} (${from}) cannot be read (${code})`,
      FILES_HINT,
      bareFault(error),
    );
  }
}

/** Runs a credential_process as the SDK does, by a shell. Its output is never quoted: it has keys in it. */
async function runProcess(command: string, section: Section, name: string): Promise<Identity> {
  const of = `credential_process of the profile ${name}`;
  const hint = 'run the command of credential_process to see why';
  const output = await new Promise<string>((resolve, reject) => {
    exec(command, (error, stdout) => {
      if (!error) {
        resolve(stdout);
        return;
      }
      const { code, signal } = error;
      const how =
        typeof code === 'number'
          ? `ended with status ${code}`
          : signal
            ? `was ended by ${signal}`
            : 'cannot be run';
      reject(missing(`: ${of} ${how}`, hint));
    });
  });
  let data: Partial<Record<string, unknown>>;
  try {
    data = Object(JSON.parse(output)) as typeof data;
  } catch {
    throw missing(`: ${of} printed no valid JSON`, hint);
  }
  const { Version, AccessKeyId, SecretAccessKey, SessionToken, Expiration } = data;
  if (Version !== 1) throw missing(`: ${of} printed JSON without "Version": 1`, hint);
  if (!isText(AccessKeyId) || !isText(SecretAccessKey)) {
    throw missing(`: ${of} printed no AccessKeyId or no SecretAccessKey`, hint);
  }
  const expiration = isText(Expiration) ? new Date(Expiration) : undefined;
  if (expiration && Number.isNaN(expiration.getTime())) {
    throw missing(`: ${of} printed an Expiration that is not a time`, hint);
  }
  if (expiration && expiration.getTime() < Date.now()) {
    throw missing(`: ${of} gave credentials that have expired`, 'log in again where it gets them');
  }
  const account = data['AccountId'] ?? section['aws_account_id'];
  return marked(
    {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      ...(isText(SessionToken) ? { sessionToken: SessionToken } : {}),
      ...(expiration ? { expiration } : {}),
      ...(isText(account) ? { accountId: account } : {}),
    },
    { CREDENTIALS_PROFILE_PROCESS: 'v' },
  );
}

async function getOfSso(
  context: CredentialsContext,
  files: AwsFiles,
  section: Section,
  name: string,
): Promise<Identity> {
  const session = section['sso_session'];
  const shared = session === undefined ? undefined : files.ssoSessions.get(session);
  if (session !== undefined && !shared) {
    const names = [...files.ssoSessions.keys()];
    throw missing(
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
    throw missing(`: the profile ${name} has no ${key}`, `set it up: ${hint}`);
  }
  const { endpoint: _, ...rest } = context.shared;
  const { SSO, SSO_OIDC } = context.endpoints;
  // The SDK makes the client that renews a login with the endpoint of the other one. Neither signs its requests.
  const watch = watchRequests(({ path }) =>
    path.endsWith('/token') ? SSO_OIDC?.value : SSO?.value,
  );
  const provider = fromSSO({
    ssoStartUrl: all['sso_start_url'] ?? '',
    ssoRegion: all['sso_region'] ?? '',
    ssoAccountId: all['sso_account_id'] ?? '',
    ssoRoleName: all['sso_role_name'] ?? '',
    ...(session === undefined ? {} : { ssoSession: session }),
    ...fileOf(name, all, session, shared),
    // Without a region of its own, which is the table's: the SDK would prefer it to the one of the session.
    clientConfig: { ...rest, extensions: [...rest.extensions, watch.extension] },
  });
  try {
    return await provider();
  } catch (error) {
    throw ssoFailure(error, all, name, watch.failure());
  }
}

/** A request that got no answer. */
interface Unanswered {
  readonly host: string;
  readonly code: string;
}

/**
 * Makes an extension for clients of the SDK's own. It sends each request to the endpoint that `route` names, if any, and
 * remembers the last one that got no answer, of which the SDK's errors tell little.
 */
function watchRequests(route: (request: { readonly path: string }) => string | undefined): {
  readonly extension: ReturnType<typeof guardRequests>;
  readonly failure: () => Unanswered | undefined;
} {
  let failure: Unanswered | undefined;
  return {
    failure: () => failure,
    extension: {
      configure: (client) => {
        wrapHandler(client, async (original, send) => {
          const request = HttpRequest.clone(original);
          const endpoint = route(request);
          if (endpoint !== undefined) {
            const { protocol, hostname, port, host, pathname } = new URL(endpoint);
            Object.assign(request, {
              protocol,
              hostname,
              port: port === '' ? undefined : Number(port),
              path: pathname.replace(/\/$/, '') + request.path,
              headers: { ...request.headers, host },
            });
          }
          try {
            failure = undefined;
            return await send(request);
          } catch (error) {
            const { hostname, port } = request;
            const { code } = Object(error) as { code?: unknown };
            failure = {
              host: port === undefined ? hostname : `${hostname}:${port}`,
              code: isText(code) ? code : nameOf(error),
            };
            throw error;
          }
        });
      },
    },
  };
}

/** The SDK's error has only a text, which begins with the name of the service's error, or tells of the token. */
function ssoFailure(
  error: unknown,
  section: Section,
  name: string,
  failure: Unanswered | undefined,
): CredstashError {
  const text = error instanceof Error ? error.message : '';
  const [, answered] = /^(?:Error: )?([A-Za-z]{1,60}(?:Exception|Error))\b/.exec(text) ?? [];
  const login = `log in: ${commandLine(['aws', 'sso', 'login', '--profile', name])}`;
  const of = `of the profile ${name}`;
  const refused = failure && hintOfCertificate(failure.code, failure.host);
  if (/\bexpired\b|Cannot refresh/i.test(text) || answered === 'UnauthorizedException') {
    const tail = failure && `, and ${failure.host} cannot be reached to renew it (${failure.code})`;
    return missing(`: the SSO login ${of} has expired${tail ?? ''}`, refused ?? login);
  }
  if (/not found or is invalid|is invalid\.|Value not present/.test(text)) {
    return missing(`: there is no SSO login ${of}`, login);
  }
  if (answered === 'ForbiddenException' || answered === 'ResourceNotFoundException') {
    const { sso_role_name: role = '', sso_account_id: account = '' } = section;
    return missing(
      `: SSO does not give the role ${role} of the account ${account} to the login ${of} (${answered})`,
      login,
    );
  }
  const code = failure?.code ?? answered ?? nameOf(error);
  const place = failure ? `, ${failure.host}` : '';
  return new CredstashError(
    'UNREACHABLE',
    `SSO in ${section['sso_region'] ?? ''} gave no credentials for the profile ${name} (${code}${place})`,
    { hint: refused ?? 'check the network and sso_region', cause: new Error(`SSO: ${code}`) },
  );
}

async function getOfLogin(
  context: CredentialsContext,
  section: Section,
  name: string,
): Promise<Identity> {
  const { endpoint: _, ...rest } = context.shared;
  const watch = watchRequests(() => undefined);
  try {
    return await fromLoginCredentials({
      ...fileOf(name, section),
      // Its region, unless the login has one.
      clientConfig: {
        ...rest,
        ...endpointOption(context.endpoints, 'SIGNIN'),
        extensions: [...rest.extensions, watch.extension],
        region: section['region'] ?? context.region,
      },
    })();
  } catch (error) {
    throw loginFailure(error, name, watch.failure());
  }
}

/** The SDK's error has only a text. What it quotes may be a part of a file with keys. */
function loginFailure(
  error: unknown,
  name: string,
  failure: Unanswered | undefined,
): CredstashError {
  const text = error instanceof Error ? error.message : '';
  const login = `log in: ${commandLine(['aws', 'login', '--profile', name])}`;
  const cause = new Error(nameOf(error));
  const of = `of the profile ${name}`;
  if (failure) {
    const tail = `${failure.host} cannot be reached to renew it (${failure.code})`;
    const refused = hintOfCertificate(failure.code, failure.host);
    return missing(`: the login ${of} has expired, and ${tail}`, refused ?? login, cause);
  }
  if (text.startsWith('Failed to load token')) {
    return text.includes('ENOENT')
      ? missing(`: there is no login ${of}`, login, cause)
      : missing(`: the file with the login ${of} is not valid`, login, cause);
  }
  if (text.includes('insufficient permissions')) {
    return missing(
      `: the login ${of} has expired, and its user may not renew it (signin:CreateOAuth2Token)`,
      login,
      cause,
    );
  }
  return missing(`: the login ${of} has expired`, login, cause);
}

/**
 * A configuration file for the SDK, which exists in its cache of files only. A header with a dot is taken as it is, so that
 * a name may have spaces and quotes.
 */
function fileOf(
  name: string,
  section: Section,
  session?: string,
  shared?: Section,
): { readonly profile: string; readonly configFilepath: string; readonly filepath: string } {
  const lines = (settings: Section): string[] =>
    Object.entries(settings)
      .filter(([key]) => /^(?:sso_\w+|login_session|region)$/.test(key))
      .map(([key, value]) => `${key} = ${value}`);
  const text = [
    `[profile.${name}]`,
    ...lines(section),
    ...(shared ? [`[sso-session.${session ?? ''}]`, ...lines(shared)] : []),
  ].join('\n');
  const path = `credstash:${text}`;
  externalDataInterceptor.interceptFile(path, text);
  externalDataInterceptor.interceptFile('credstash:', '');
  return { profile: name, configFilepath: path, filepath: 'credstash:' };
}

function hasContainer(): boolean {
  return Boolean(
    process.env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] ||
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'],
  );
}

async function getOfContainer(): Promise<Identity> {
  const relative = process.env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  const variable = `AWS_CONTAINER_CREDENTIALS_${relative ? 'RELATIVE' : 'FULL'}_URI`;
  const of = `the container's endpoint (${variable})`;
  const file = process.env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const tokens = 'AWS_CONTAINER_AUTHORIZATION_TOKEN';
  const token = file ? readToken(file, `${tokens}_FILE`) : process.env[tokens];
  if (token !== undefined && /[\r\n]/.test(token)) {
    const where = file ? `the token file ${file} (${tokens}_FILE)` : tokens;
    const how = /^[^\r\n]*\r?\n$/.test(token) ? 'ends in a newline' : 'has a line break in it';
    throw missing(`: ${where} ${how}`, 'write the token without one, such as with printf %s');
  }
  const url = process.env[variable] ?? '';
  if (!relative && !/^https?:\/\//i.test(url)) {
    throw missing(
      `: ${variable} is not an http or https URL`,
      'see the documents of the container',
    );
  }
  // The SDK asks it through an agent of its own, which nothing here can tell to verify.
  if (/^https:/i.test(url) && !relative) refuseAnyCertificate(of);
  try {
    return await fromHttp()();
  } catch (error) {
    throw missing(`: ${of} ${answerOf(error)}`, `check the role of the container, and ${variable}`);
  }
}

async function getOfInstance(
  context: CredentialsContext,
  files: AwsFiles,
  nothing?: CredstashError,
): Promise<Identity> {
  const { value: endpoint, from } = findInstanceEndpoint(context, files);
  try {
    const profile = profileNameOf(context);
    const { logger } = context.shared;
    const { fromInstanceMetadata } = await import('@smithy/credential-provider-imds');
    const provider = fromInstanceMetadata({
      ...(profile === undefined ? {} : { profile }),
      ...(logger ? { logger } : {}),
    });
    return marked(await withInstanceEndpoint(endpoint, provider), { CREDENTIALS_IMDS: '0' });
  } catch (error) {
    const { statusCode } = Object(error) as { statusCode?: unknown };
    // Away from an instance nothing answers there, which is not what went wrong.
    if (nothing && typeof statusCode !== 'number' && from === 'default') throw nothing;
    throw missing(
      `: the instance's metadata service ${answerOf(error)}${statusCode === 404 ? ': the instance has no role' : ''}`,
      `give the instance a role, or check ${from === 'default' ? 'AWS_EC2_METADATA_SERVICE_ENDPOINT' : from}`,
    );
  }
}

/**
 * Calls the SDK with the instance's endpoint in the environment. It takes no endpoint as an option, and would look for one in
 * the profile of AWS_PROFILE. It reads the variable before it first waits, so that nothing else sees it.
 */
function withInstanceEndpoint<T>(endpoint: string, call: () => Promise<T>): Promise<T> {
  const name = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
  const before = process.env[name];
  process.env[name] = endpoint;
  try {
    return call();
  } finally {
    if (before === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before;
  }
}

/** What an endpoint for credentials did, without its words. */
function answerOf(error: unknown): string {
  const { statusCode, code, message } = Object(error) as Record<string, unknown>;
  const text = isText(message) ? message : '';
  const status = typeof statusCode === 'number' ? statusCode : /status: (\d{3})\b/.exec(text)?.[1];
  if (status !== undefined) return `answered ${status}`;
  const known = isText(code) ? code : /\b(E[A-Z]{4,20}|TimeoutError)\b/.exec(text)?.[1];
  if (known !== undefined) return `cannot be reached (${known})`;
  return /not accepted/.test(text)
    ? 'must be of https, or on this machine'
    : 'sent an answer without credentials';
}

const FILES_HINT = 'see the files in ~/.aws, or AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE';
const KEYS_HINT = 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';

function profileNotFound(name: string, files: AwsFiles, of = ''): CredstashError {
  const [broken] = files.unreadable;
  if (broken) {
    return missing(
      `: the profile ${name}${of} cannot be looked up: ${broken.path} cannot be read (${broken.code})`,
      `let this user read it: ${commandLine(['ls', '-l', broken.path])}`,
      broken.fault,
    );
  }
  const names = [...files.profiles.keys()];
  const hint =
    names.length === 0
      ? `there are no profiles in ${files.paths.join(' and ')}`
      : `the profiles are: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`;
  return missing(`: the profile ${name}${of} does not exist`, hint);
}

function missing(text: string, hint: string, cause?: Error): CredstashError {
  return new CredstashError('NO_CREDENTIALS', `no AWS credentials were found${text}`, {
    hint,
    cause,
  });
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function optional<K extends string>(key: K, value: string | undefined): { [key in K]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { [key in K]?: string };
}

/** Marks where credentials are from, as the SDK's own chain does: `doctor` shows it, and the SDK's user agent has it. */
function marked(identity: Identity, $source: Readonly<Record<string, string>>): Identity {
  const { $source: before } = identity as { $source?: object };
  return { ...identity, $source: { ...before, ...$source } } as Identity;
}
