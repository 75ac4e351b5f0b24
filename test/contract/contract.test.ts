import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openAws } from '../../src/backend/aws/index.ts';
import { openDatabase } from '../../src/backend/local/sqlite.ts';
import type { MemoryItems } from '../../src/backend/memory/entry-store.ts';
import { openMemory } from '../../src/backend/memory/index.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Entry } from '../../src/model/entry.ts';
import { measureItem, MAX_ITEM_BYTES } from '../../src/model/item.ts';
import { type Aws, dynamoEngines, startAws, table } from '../support/aws.ts';
import { putRaw, scanRaw } from '../support/dynamo.ts';
import { describeEntryStore } from './entry-store.ts';
import { describeKeyService } from './key-service.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const lost: Entry = {
  name: 'lost answer',
  version: '0000000000000000001',
  cipher: 'AES-256-GCM',
  digest: 'SHA256',
  created: '2026-11-23T10:00:00Z',
  key: Buffer.from('key'),
  contents: Buffer.from('contents'),
  hmac: Buffer.from('hmac'),
};

describe('the local vault', () => {
  const folder = temporaryFolder();
  const path = join(folder, 'vault');
  const vault = openLocal(path, { create: true });
  afterAll(() => {
    vault.vault.close();
  });

  describeKeyService('of a vault', () => vault.keys);
  describeEntryStore('of a vault', {
    open: () => vault.entries,
    hasTransactions: true,
    putRaw: (item) => {
      const database = openDatabase(join(path, 'vault.db'));
      const columns = Object.keys(item);
      const values = Object.values(item).map((value) =>
        'SS' in value ? ` ${value.SS.join(' ')} ` : 'S' in value ? value.S : value.B,
      );
      database.run(
        `INSERT INTO entries (${columns.join()}) VALUES (${columns.map(() => '?').join()})`,
        ...values,
      );
      database.close();
      return Promise.resolve();
    },
  });

  it('tells a reader when it is not there, and creates nothing', async () => {
    const absent = openLocal(join(folder, 'absent'), { create: false });
    await expect(absent.entries.latest('n')).rejects.toMatchObject({
      code: 'VAULT_NOT_FOUND',
      exitStatus: 3,
    });
    await expect(absent.keys.generate(Object.freeze({}))).rejects.toMatchObject({
      code: 'VAULT_NOT_FOUND',
    });
  });
});

describe('memory', () => {
  const items: MemoryItems = new Map();
  const memory = openMemory(items);
  afterAll(() => {
    memory.close();
  });

  describeKeyService('in memory', () => memory.keys);
  describeEntryStore('in memory', {
    open: () => memory.entries,
    hasTransactions: true,
    putRaw: (item) => {
      items.set(
        JSON.stringify([item['name'], item['version']].map((key) => key && 'S' in key && key.S)),
        item,
      );
      return Promise.resolve();
    },
  });

  it('shares no bytes with its callers', async () => {
    const entry = { ...lost, name: 'copied', key: Buffer.from('key') };
    await memory.entries.create(entry);
    entry.key.fill(0);
    (await memory.entries.latest('copied'))?.key.fill(0);
    expect((await memory.entries.latest('copied'))?.key).toEqual(
      new Uint8Array(Buffer.from('key')),
    );
  });

  it('keeps attributes that are not its own when it replaces and renumbers an entry', async () => {
    const was = { ...lost, name: 'kept' };
    await memory.entries.create(was);
    const id = JSON.stringify(['kept', was.version]);
    items.set(id, { ...items.get(id), owner: { S: 'them' } });
    const changed = { ...was, key: Buffer.from('new key') };
    await memory.entries.replace(changed, was);
    expect(items.get(id)).toMatchObject({ owner: { S: 'them' } });
    const other = { ...changed, version: '2' };
    await memory.entries.renumber(other, changed);
    expect(items.get(JSON.stringify(['kept', '2']))).toMatchObject({ owner: { S: 'them' } });
    expect(items.has(id)).toBe(false);
  });

  it('refuses what no table would take', async () => {
    const contents = new Uint8Array(MAX_ITEM_BYTES);
    await expect(memory.entries.create({ ...lost, contents })).rejects.toMatchObject({
      code: 'TOO_LARGE',
    });
  });

  it('forgets everything when it is closed', async () => {
    const closed = openMemory();
    const { wrapped } = await closed.keys.generate(Object.freeze({}));
    await closed.entries.create(lost);
    closed.close();
    expect(await closed.entries.latest(lost.name)).toBeUndefined();
    await expect(closed.keys.unwrap(wrapped, Object.freeze({}))).rejects.toMatchObject({
      code: 'WRONG_CONTEXT',
    });
  });
});

describe.each(dynamoEngines())('AWS on $name', ({ name, start }) => {
  let aws: Aws;
  let opened: Awaited<ReturnType<typeof openAws>>;
  beforeAll(async () => {
    aws = await startAws(start);
    for (const [name, value] of Object.entries(aws.env)) vi.stubEnv(name, value);
    opened = await openAws({ table, key: 'alias/credstash' });
  });
  afterAll(async () => {
    opened.close();
    vi.unstubAllEnvs();
    await aws.close();
  });

  const entry = lost;

  it('takes an entry that is there with the same bytes for its own, whose answer was lost', async () => {
    await opened.entries.create(entry);
    await opened.entries.create(entry);
    const changed = { ...entry, contents: Buffer.from('others') };
    await opened.entries.replace(changed, entry);
    await opened.entries.replace(changed, entry);
    await expect(opened.entries.create(entry)).rejects.toMatchObject({ code: 'VERSION_EXISTS' });
  });

  it('keeps attributes that are not its own when it replaces an entry [rule 23]', async () => {
    const own = { ...entry, name: 'kept' };
    await opened.entries.create(own);
    const raw = (await scanRaw(aws.dynamo.url, table)).find((item) => item['name']?.S === 'kept');
    await putRaw(aws.dynamo.url, table, { ...raw, labels: { SS: ['live'] } });
    await opened.entries.replace({ ...own, key: Buffer.from('new key') }, own);
    const after = (await scanRaw(aws.dynamo.url, table)).find((item) => item['name']?.S === 'kept');
    expect(after).toMatchObject({ labels: { SS: ['live'] } });
  });

  if (name !== 'dynalite') {
    it('tells that a label makes an entry too large', async () => {
      const own = { ...entry, name: 'full' };
      const room = MAX_ITEM_BYTES - measureItem({ ...own, contents: Buffer.of() });
      await opened.entries.create({ ...own, contents: Buffer.alloc(room - 20) });
      await expect(opened.entries.moveLabel('full', 'live', own.version)).rejects.toMatchObject({
        code: 'TOO_LARGE',
        exitStatus: 2,
      });
      const left = await opened.entries.latest('full');
      expect(left).not.toHaveProperty('labels');
    });
  }

  it('tells when there is no table, and where it looked', async () => {
    const absent = await openAws({ table: 'nowhere', key: 'alias/credstash', region: 'eu-west-1' });
    await expect(absent.entries.latest('n')).rejects.toMatchObject({
      code: 'TABLE_NOT_FOUND',
      exitStatus: 3,
      message: 'there is no table nowhere in eu-west-1',
    });
    absent.close();
  });

  describeKeyService('of KMS', () => opened.keys);
  describeEntryStore('of DynamoDB', {
    open: () => opened.entries,
    hasTransactions: name !== 'dynalite',
    putRaw: (item) => putRaw(aws.dynamo.url, table, item),
  });
});
