import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openAws } from '../../../src/backend/aws/index.ts';
import { Credstash } from '../../../src/credstash.ts';
import { type Aws, startAws } from '../../support/aws.ts';
import { startDynalite } from '../../support/dynamo.ts';
import { type KmsServer, startKmsServer } from '../../support/kms-server.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const profiles = {
  one: { accessKeyId: 'AKIDONE', secretAccessKey: 'secret of one' },
  two: { accessKeyId: 'AKIDTWO', secretAccessKey: 'secret of two' },
};
let aws: Aws;
let kms: KmsServer;
const folder = temporaryFolder();

beforeAll(async () => {
  aws = await startAws(startDynalite);
  kms = await startKmsServer({
    credentials: (id) => Object.values(profiles).find(({ accessKeyId }) => accessKeyId === id),
  });
  const config = Object.entries(profiles).map(
    ([name, { accessKeyId, secretAccessKey }]) =>
      `[profile ${name}]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
  );
  writeFileSync(join(folder, 'config'), config.join(''));
  vi.stubEnv('AWS_CONFIG_FILE', join(folder, 'config'));
  vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', aws.dynamo.url);
  vi.stubEnv('AWS_ENDPOINT_URL_KMS', kms.url);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await Promise.all([aws.close(), kms.close()]);
});

it('two profiles in one process do not mix, one after the other and at once [compat 49]', async () => {
  const table = { table: 'credential-store', key: 'alias/credstash' };
  const [one, two] = await Promise.all([
    openAws({ ...table, profile: 'one' }),
    openAws({ ...table, profile: 'two' }),
  ]);
  const put = ({ keys, entries }: typeof one, name: string): Promise<unknown> =>
    Credstash.over({ keys: keys, entries: entries }).put(name, Buffer.from('x'));
  await put(one, 'first.one');
  await put(two, 'first.two');
  await Promise.all([put(two, 'second.two'), put(one, 'second.one'), put(two, 'third.two')]);
  expect(kms.requests).toHaveLength(5);
  for (const { accessKeyId, body } of kms.requests) {
    const { EncryptionContext } = body as { EncryptionContext: Record<string, string> };
    const profile = EncryptionContext['credstash:name']?.split('.')[1];
    expect(accessKeyId).toBe(profiles[profile as keyof typeof profiles].accessKeyId);
  }
  one.close();
  two.close();
});
