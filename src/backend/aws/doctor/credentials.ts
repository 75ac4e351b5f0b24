/** Checks the settings in the environment, and the credentials. */
import { CredstashError } from '../../../errors.ts';
import { acceptsAnyCertificate } from '../../../util/tls.ts';
import {
  attempt,
  type CheckOptions,
  failedStep,
  okStep,
  type Step,
  unknownStep,
  warningStep,
} from '../../diagnosis.ts';
import { endpointOption, findIneffective } from '../client-settings.ts';
import { describeChain } from '../credentials/chain.ts';
import { translate } from '../errors.ts';
import { rememberFailedHost } from '../failed-host.ts';
import { guardOlderClient } from '../guard-requests.ts';
import { PROXIES, PROXY_HINT, canUseProxy } from '../proxy.ts';
import { readVariable, findRegions } from '../regions.ts';
import type { AwsSettings } from '../settings.ts';
import { sendProbe, type OpenedAws, toWords } from './ask.ts';

/** Reports the settings in AWS's own variables and files. The command itself reports the settings of its options. */
export async function* describeEnvironment({ settings }: OpenedAws): AsyncGenerator<Step> {
  const title = 'configuration';
  if (settings.profile === undefined) {
    const profile = readVariable('AWS_PROFILE') ?? readVariable('AWS_DEFAULT_PROFILE');
    if (profile) yield okStep(title, `profile: ${profile.value} (${profile.from})`);
  }
  for (const name of PROXIES) {
    const proxy = readVariable(name);
    if (!proxy) continue;
    const found = `proxy: ${readHost(proxy.value)} (${name})`;
    yield canUseProxy() ? okStep(title, found) : warningStep(title, found, PROXY_HINT);
  }
  if (acceptsAnyCertificate()) {
    const found = 'NODE_TLS_REJECT_UNAUTHORIZED=0 turns off the verification of TLS certificates';
    const hint = 'unset it; AWS_CA_BUNDLE names the file of a certificate to trust';
    yield failedStep(title, new CredstashError('USAGE', found, { hint }));
  }
  const bundle = readVariable('AWS_CA_BUNDLE');
  if (bundle) yield okStep(title, `certificates: ${bundle.value} (${bundle.from})`);
  for (const { from } of findIneffective(settings)) {
    yield warningStep(title, `${from} counts as false`, 'only true turns it on, as in boto');
  }
  const chain = describeChain(settings);
  if (!settings.credentials && chain.some(({ kind }) => kind !== undefined)) {
    yield okStep(title, `credentials: ${chain.map(({ words }) => words).join(' <- ')}`);
  }
  const { dynamodb, kms } = await findRegions(settings);
  const ofKey = kms.value === dynamodb.value ? '' : `; of the key ${kms.value} (${kms.from})`;
  yield okStep('region', `${dynamodb.value} (${dynamodb.from})${ofKey}`);
}

/** The host and port of a URL. The rest may contain a password. */
export function readHost(url: string): string {
  const text = url.includes('://') ? url : `http://${url}`;
  return URL.canParse(text) ? new URL(text).host : 'not a URL';
}

export type Sts = Awaited<ReturnType<typeof loadSts>>;

/** Loads the client of STS, and its request for the caller's identity. */
export async function loadSts({ shared, region, endpoints, dynamodb, closeLater }: OpenedAws) {
  const { GetCallerIdentityCommand, STSClient } = await import('@aws-sdk/client-sts');
  const client = new STSClient({
    ...shared,
    ...endpointOption(endpoints, 'STS'),
    credentials: dynamodb.config.credentials,
    region: region.dynamodb,
    // One attempt is enough: some networks reach only DynamoDB and KMS, where a missing answer of STS is not a failure.
    maxAttempts: 1,
  });
  guardOlderClient(client);
  client.middlewareStack.use(rememberFailedHost);
  closeLater(() => {
    client.destroy();
  });
  return { client, GetCallerIdentityCommand };
}

/** Checks that credentials exist, and asks STS whose they are. @returns whether they exist */
export async function* checkCredentials(
  { settings, region, dynamodb }: OpenedAws,
  sts: Sts,
  { signal }: CheckOptions,
): AsyncGenerator<Step, boolean> {
  const where = { service: 'STS', resource: 'credentials', region: region.dynamodb };
  const found = await attempt(async () => {
    try {
      return await dynamodb.config.credentials();
    } catch (error) {
      throw translate(error, { ...where, profile: settings.profile });
    }
  }, signal);
  if (found instanceof CredstashError) {
    yield failedStep('credentials', found);
    return false;
  }
  const until = found.expiration ? `, until ${found.expiration.toISOString()}` : '';
  yield okStep('credentials', `found (${describeSource(found, settings)})${until}`);

  const identity = await sendProbe(
    signal,
    (options) => sts.client.send(new sts.GetCallerIdentityCommand(), options),
    (error) => translate(error, { ...where, action: 'sts:GetCallerIdentity' }),
  );
  yield identity instanceof CredstashError
    ? {
        ...unknownStep('identity', 'the caller', identity),
        hint: 'no other command needs to know',
      }
    : okStep('identity', identity.Arn ?? 'STS does not tell');
  return true;
}

/** Describes the source of credentials: `env vars`, `profile sso`. */
export function describeSource(identity: object, settings: AwsSettings): string {
  const { $source = {} } = identity as { $source?: object };
  const names = Object.keys($source).filter((name) => name.startsWith('CREDENTIALS_'));
  // With this mark the SDK says only that our own function gave the credentials.
  const sources = names.filter((name) => name !== 'CREDENTIALS_CODE');
  if (sources.length > 0) {
    return sources.map((name) => toWords(name.replace('CREDENTIALS_', ''))).join(', ');
  }
  return settings.roleArn === undefined ? 'given by the application' : 'of the role';
}
