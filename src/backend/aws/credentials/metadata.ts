/** Gets the credentials of a container or an instance from its metadata endpoint. */
import type { CredstashError } from '../../../errors.ts';
import { findInstanceEndpoint } from '../client-settings.ts';
import { refuseAnyCertificate } from '../guard-requests.ts';
import { type AwsFiles, findProfileName } from '../profile.ts';
import {
  type CredentialsContext,
  type Identity,
  isText,
  withSource,
  noCredentials,
} from './identity.ts';
import { fetchContainerCredentials } from './container.ts';
import { readToken } from './token.ts';

/** Whether the environment names a container's endpoint. */
export function hasContainer(): boolean {
  return Boolean(
    process.env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] ||
    process.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'],
  );
}

/** Gets the credentials of the container. @throws CredstashError NO_CREDENTIALS; USAGE if the environment accepts any certificate */
export async function getContainerCredentials(): Promise<Identity> {
  const relative = process.env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  const variable = `AWS_CONTAINER_CREDENTIALS_${relative ? 'RELATIVE' : 'FULL'}_URI`;
  const subject = `the container's endpoint (${variable})`;
  const file = process.env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  const tokens = 'AWS_CONTAINER_AUTHORIZATION_TOKEN';
  const token = file ? readToken(file, `${tokens}_FILE`) : process.env[tokens];
  if (token !== undefined && /[\r\n]/.test(token)) {
    const where = file ? `the token file ${file} (${tokens}_FILE)` : tokens;
    const how = /^[^\r\n]*\r?\n$/.test(token) ? 'ends in a newline' : 'has a line break in it';
    throw noCredentials(`: ${where} ${how}`, 'write the token without one, such as with printf %s');
  }
  const url = process.env[variable] ?? '';
  if (!relative && !/^https?:\/\//i.test(url)) {
    throw noCredentials(
      `: ${variable} is not an http or https URL`,
      'see the documents of the container',
    );
  }
  if (/^https:/i.test(url) && !relative) refuseAnyCertificate(subject);
  try {
    const place = relative ? { relative } : { full: url };
    return withSource(await fetchContainerCredentials(place, token), { CREDENTIALS_HTTP: 'z' });
  } catch (error) {
    throw noCredentials(
      `: ${subject} ${describeAnswer(error)}`,
      `check the role of the container, and ${variable}`,
    );
  }
}

/**
 * Gets the credentials of the instance's role.
 *
 * @param notFound thrown if the default endpoint does not answer
 * @throws CredstashError NO_CREDENTIALS
 */
export async function getInstanceCredentials(
  context: CredentialsContext,
  files: AwsFiles,
  notFound?: CredstashError,
): Promise<Identity> {
  const { value: endpoint, from } = findInstanceEndpoint(context, files);
  try {
    const profile = findProfileName(context);
    const { logger } = context.shared;
    const { fromInstanceMetadata } = await import('@smithy/credential-provider-imds');
    const provider = fromInstanceMetadata({
      ...(profile === undefined ? {} : { profile }),
      ...(logger ? { logger } : {}),
    });
    return withSource(await withInstanceEndpoint(endpoint, provider), { CREDENTIALS_IMDS: '0' });
  } catch (error) {
    const { statusCode } = Object(error) as { statusCode?: unknown };
    // Outside EC2 nothing answers at the default endpoint. The error is then that no credentials were found anywhere.
    if (notFound && typeof statusCode !== 'number' && from === 'default') throw notFound;
    throw noCredentials(
      `: the instance's metadata service ${describeAnswer(error)}${statusCode === 404 ? ': the instance has no role' : ''}`,
      `give the instance a role, or check ${from === 'default' ? 'AWS_EC2_METADATA_SERVICE_ENDPOINT' : from}`,
    );
  }
}

/**
 * Calls the SDK with the instance's endpoint in the environment. The SDK has no option for the endpoint, and would look for one
 * in the profile of AWS_PROFILE. It reads the variable before it first waits, so no other code sees the change.
 */
export function withInstanceEndpoint<T>(endpoint: string, call: () => Promise<T>): Promise<T> {
  const name = 'AWS_EC2_METADATA_SERVICE_ENDPOINT';
  const earlier = process.env[name];
  process.env[name] = endpoint;
  try {
    return call();
  } finally {
    if (earlier === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = earlier;
  }
}

/** Describes how an endpoint for credentials failed, without quoting its answer. */
export function describeAnswer(error: unknown): string {
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
