import { GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { fromIni, fromTemporaryCredentials, fromWebToken } from '@aws-sdk/credential-providers';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type KmsServer, startKmsServer } from './kms-server.ts';
import { testCredential } from './sigv4.ts';
import { mfaCode, startStsServer, type StsServer, webIdentityToken } from './sts-server.ts';

const role = 'arn:aws:iam::123456789012:role/reader';
const device = 'arn:aws:iam::123456789012:mfa/tester';

let sts: StsServer;
let kms: KmsServer;
beforeEach(async () => {
  sts = await startStsServer();
  kms = await startKmsServer({ credentials: sts.credentials });
});
afterEach(() => Promise.all([sts.close(), kms.close()]));

type Provider = ReturnType<typeof fromTemporaryCredentials>;

function assumeRole(code?: string, secretAccessKey = testCredential.secretAccessKey): Provider {
  return fromTemporaryCredentials({
    masterCredentials: { ...testCredential, secretAccessKey },
    params: { RoleArn: role, ...(code !== undefined && { SerialNumber: device }) },
    clientConfig: { endpoint: sts.url, region: 'eu-west-1' },
    ...(code !== undefined && { mfaCodeProvider: () => Promise.resolve(code) }),
  });
}

async function generate(credentials: Provider): Promise<void> {
  const client = new KMSClient({ endpoint: kms.url, region: 'us-east-1', credentials });
  await client.send(new GenerateDataKeyCommand({ KeyId: 'alias/credstash', NumberOfBytes: 64 }));
}

describe('assume role', () => {
  test('hands out credentials that KMS accepts', async () => {
    await generate(assumeRole());
    expect(sts.requests).toMatchObject([
      { action: 'AssumeRole', roleArn: role, serialNumber: undefined, region: 'eu-west-1' },
    ]);
    expect(kms.requests[0]?.accessKeyId).toMatch(/^ASIA/);
  });

  test('takes the right code of an MFA device, and no other', async () => {
    await generate(assumeRole(mfaCode));
    expect(sts.requests[0]).toMatchObject({ serialNumber: device, tokenCode: '123456' });
    await expect(generate(assumeRole('654321'))).rejects.toMatchObject({
      name: 'AccessDenied',
      message: 'MultiFactorAuthentication failed with invalid MFA one time pass code.',
    });
  });

  test('takes the token of a web identity, which signs nothing, and no other', async () => {
    const assume = (token: string): Provider =>
      fromWebToken({
        roleArn: role,
        webIdentityToken: token,
        clientConfig: { endpoint: sts.url, region: 'eu-west-1' },
      });
    await generate(assume(webIdentityToken));
    expect(sts.requests[0]).toMatchObject({ action: 'AssumeRoleWithWebIdentity', roleArn: role });
    await expect(generate(assume('another'))).rejects.toMatchObject({
      name: 'InvalidIdentityTokenException',
    });
  });

  test('is refused on demand', async () => {
    sts.deny(true);
    await expect(generate(assumeRole())).rejects.toMatchObject({ name: 'AccessDenied' });
    sts.deny(false);
    await generate(assumeRole());
  });

  test('is refused to a wrong secret', async () => {
    const wrong = assumeRole(undefined, 'wrong');
    await expect(generate(wrong)).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
  });

  test('lets a role assume another one', async () => {
    const chained = fromTemporaryCredentials({
      masterCredentials: assumeRole(),
      params: { RoleArn: `${role}2` },
      clientConfig: { endpoint: sts.url, region: 'us-east-1' },
    });
    await generate(chained);
    expect(sts.requests.map(({ roleArn }) => roleArn)).toEqual([role, `${role}2`]);
  });

  test('works from a profile with role_arn', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'credstash-test-'));
    const configFilepath = join(folder, 'config');
    const filepath = join(folder, 'credentials');
    await writeFile(configFilepath, `[profile p]\nrole_arn=${role}\nsource_profile=base\n`);
    await writeFile(
      filepath,
      `[base]\naws_access_key_id=${testCredential.accessKeyId}\naws_secret_access_key=${testCredential.secretAccessKey}\n`,
    );
    const clientConfig = { endpoint: sts.url, region: 'us-east-1' };
    await generate(fromIni({ profile: 'p', configFilepath, filepath, clientConfig }));
    expect(sts.requests).toHaveLength(1);
    await rm(folder, { recursive: true });
  });
});
