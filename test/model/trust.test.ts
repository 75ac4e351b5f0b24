import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import type { Cipher } from '../../src/model/entry.ts';
import {
  checkFormats,
  checkTrustedKeys,
  describeTrust,
  TrustedKeys,
} from '../../src/model/trust.ts';
import { outcomesOf } from '../support/outcomes.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const key = 'arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555';
const mrk = `arn:aws:kms:eu-west-1:123456789012:key/mrk-${'ab'.repeat(16)}`;

describe('trusted keys', () => {
  it.each(['aws', 'aws-cn', 'aws-us-gov', 'aws-iso-b', 'aws-eusc'])('are ARNs of %s', (name) => {
    const arn = key.replace('arn:aws:', `arn:${name}:`);
    expect(new TrustedKeys([arn]).has(arn)).toBe(true);
    expect(new TrustedKeys([arn]).has(key)).toBe(name === 'aws');
  });

  it.each<[string, unknown]>([
    ['an alias', ['alias/credstash']],
    ['the ARN of an alias', ['arn:aws:kms:eu-west-1:123456789012:alias/credstash']],
    ['an id', ['11111111-2222-3333-4444-555555555555']],
    ['an id of several regions', [`mrk-${'ab'.repeat(16)}`]],
    ['another service', [key.replace(':kms:', ':iam:')]],
    ['another partition', [key.replace(':aws:', ':gcp:')]],
    ['a pattern', ['arn:aws:kms:*:123456789012:key/*']],
    ['no region', [key.replace('eu-west-1', '')]],
    ['no account', [key.replace('123456789012', '')]],
    ['a short account', [key.replace('123456789012', '12345678901')]],
    ['no id', ['arn:aws:kms:eu-west-1:123456789012:key/']],
    ['a space behind', [`${key} `]],
    ['a line break behind', [`${key}\n`]],
    ['one of two', [key, 'alias/credstash']],
    ['an empty text', ['']],
    ['an empty list', []],
    ['no list', key],
    ['null', null],
    ['a number', [1]],
    ['a list in it', [[key]]],
    ['an object', { 0: key, length: 1 }],
  ])('that cannot be, an error of usage: %s', (_, value) => {
    const refused = expect.objectContaining({ code: 'USAGE' }) as Error;
    expect(() => checkTrustedKeys(value)).toThrow(refused);
    expect(() => new Credstash({ trustedKeys: value as string[] })).toThrow(refused);
  });

  it('are not set where nothing says so', () => {
    expect(checkTrustedKeys(undefined)).toBeUndefined();
  });

  it.each<[string, string | undefined]>([
    ['another region', key.replace('eu-west-1', 'eu-west-2')],
    ['another account', key.replace('123456789012', '123456789013')],
    ['another partition', key.replace(':aws:', ':aws-cn:')],
    ['another id', key.replace('key/1', 'key/2')],
    ['an alias', 'arn:aws:kms:eu-west-1:123456789012:alias/11111111-2222-3333-4444-555555555555'],
    ['an id alone', '11111111-2222-3333-4444-555555555555'],
    ['nothing', undefined],
    ['an empty text', ''],
    ['more behind', `${key}0`],
  ])('do not have %s', (_, arn) => {
    const trusted = new TrustedKeys([mrk, key]);
    expect(trusted.has(key)).toBe(true);
    expect(trusted.has(arn)).toBe(false);
    expect(() => {
      trusted.checkEntry(arn);
    }).toThrow(expect.objectContaining({ code: 'ENTRY_NOT_TRUSTED' }) as Error);
    expect(() => {
      trusted.checkKey(arn, 'alias/credstash');
    }).toThrow(expect.objectContaining({ code: 'KEY_NOT_TRUSTED' }) as Error);
  });

  it('count in every region, where it is a key of several', () => {
    const trusted = new TrustedKeys([mrk]);
    const elsewhere = mrk.replace('eu-west-1', 'ap-south-1');
    expect(trusted.has(elsewhere)).toBe(true);
    expect(trusted.only('ap-south-1')).toBe(elsewhere);
    expect(trusted.has(elsewhere.replace('123456789012', '123456789013'))).toBe(false);
    expect(trusted.has(elsewhere.replace(':aws:', ':aws-cn:'))).toBe(false);
    expect(trusted.has(elsewhere.replace('mrk-a', 'mrk-b'))).toBe(false);
  });

  it('are one to name in a request, or several, of which none is named', () => {
    expect(new TrustedKeys([key]).only('ap-south-1')).toBe(key);
    expect(new TrustedKeys([key, key]).only('eu-west-1')).toBe(key);
    expect(new TrustedKeys([key, mrk]).only('eu-west-1')).toBeUndefined();
  });

  it.each<[string, string | undefined]>([
    [key, undefined],
    [mrk.replace('eu-west-1', 'ap-south-1'), undefined],
    ['11111111-2222-3333-4444-555555555555', undefined],
    ['alias/anything', undefined],
    ['arn:aws:kms:eu-west-1:123456789012:alias/anything', undefined],
    [key.replace('1111', '2222'), 'KEY_NOT_TRUSTED'],
    ['22222222-2222-3333-4444-555555555555', 'KEY_NOT_TRUSTED'],
    ['not a key', 'USAGE'],
  ])('tell before any request whether %s may be one', (name, code) => {
    const check = (): void => {
      new TrustedKeys([key, mrk]).checkName(name);
    };
    if (code === undefined) expect(check).not.toThrow();
    else expect(check).toThrow(expect.objectContaining({ code }) as Error);
  });

  it('are named in an error by their setting, and what is no ARN is not repeated', () => {
    const trusted = new TrustedKeys([key], 'CREDSTASH_TRUSTED_KEYS');
    const other = key.replace('1111', '2222');
    expect(() => {
      trusted.checkEntry(other);
    }).toThrow(`it is under the KMS key ${other}, which CREDSTASH_TRUSTED_KEYS does not list`);
    expect(() => {
      trusted.checkEntry('\x1b[31mhush');
    }).toThrow(/^it is under an unknown KMS key, which CREDSTASH_TRUSTED_KEYS does not list$/);
    expect(() => {
      trusted.checkKey('\x1b[31mhush', 'alias/a');
    }).not.toThrow('hush');
  });
});

describe('formats', () => {
  it.each<[string, unknown]>([
    ['an unknown one', ['AES-256-GCM', 'AES-128-GCM']],
    ['in lower case', ['aes-256-gcm']],
    ['without the current one', ['AES-256-CTR']],
    ['a name that every object has', ['AES-256-GCM', 'constructor']],
    ['an empty list', []],
    ['no list', 'AES-256-GCM'],
    ['null', null],
    ['a number', [1]],
  ])('that cannot be, an error of usage: %s', (_, value) => {
    const refused = expect.objectContaining({ code: 'USAGE' }) as Error;
    const formats = value as Cipher[];
    expect(() => checkFormats(value)).toThrow(refused);
    expect(() => new Credstash({ formats })).toThrow(refused);
    expect(() => Credstash.local('/nowhere', { formats })).toThrow(refused);
  });

  it('are both where nothing says so', () => {
    expect(checkFormats(undefined)).toBeUndefined();
  });
});

describe('what is trusted, for a person', () => {
  const gcm = checkFormats(['AES-256-GCM']);
  it.each([
    [undefined, undefined, 'entries under any key that KMS lets you use, in both formats'],
    [
      new TrustedKeys([key, mrk]),
      gcm,
      `entries under ${key}, ${mrk} only, sealed with AES-256-GCM only`,
    ],
    [null, checkFormats(['AES-256-CTR', 'AES-256-GCM']), 'entries, in both formats'],
    [null, undefined, undefined],
    [null, gcm, 'entries, sealed with AES-256-GCM only'],
  ])('%#', (keys, formats, text) => {
    expect(describeTrust(keys, formats)).toBe(text);
  });
});

describe('a vault', () => {
  let folder: string;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  const open = (formats?: Cipher[], name = 'vault'): Credstash =>
    Credstash.local(join(folder, name), { formats });
  const original = { cipher: 'AES-256-CTR' };
  const refused = { code: 'ENTRY_NOT_TRUSTED', exitStatus: 5 };

  it('has no keys to choose from', () => {
    expect(() => Credstash.local(join(folder, 'vault'), { trustedKeys: [key] } as object)).toThrow(
      expect.objectContaining({ code: 'USAGE' }) as Error,
    );
  });

  it('opens an original entry, unless formats says otherwise, whoever asks', async () => {
    const [both, gcm] = [open(), open(['AES-256-GCM'])];
    await both.put('old', Buffer.from('x'), original);
    await both.put('new', Buffer.from('y'));
    await both.put('new', Buffer.from('z'), { version: '2', ...original });
    for (const each of [both, open(['AES-256-CTR', 'AES-256-GCM'])]) {
      expect(await each.getText('old')).toBe('x');
    }
    expect(await gcm.getText('new', { version: '1' })).toBe('y');

    await expect(gcm.get('new')).rejects.toMatchObject({
      ...refused,
      message:
        'version 0000000000000000002 of new: it is sealed with AES-256-CTR, which formats does not list',
      hint: expect.stringContaining('.migrate({ glob: "new" })`') as string,
    });
    await expect(gcm.getMany([{ name: 'new' }])).rejects.toMatchObject({ code: refused.code });
    await expect(gcm.getAll()).rejects.toMatchObject({
      code: refused.code,
      failures: [{ name: 'new' }, { name: 'old' }],
      hint: expect.stringMatching(/\.migrate\(\{ glob: "new" \}\)`, or leave out/) as string,
    });
    const { secrets, leftOut } = await gcm.getAll({ skipUndecryptable: true });
    expect([secrets.length, leftOut.length]).toEqual([0, 2]);
    await expect(gcm.render(Buffer.from('{{ credstash://old }}'))).rejects.toMatchObject(refused);
    const resolved = gcm.resolveReferences({ X: 'credstash://old' });
    await expect(resolved).rejects.toMatchObject(refused);
    const cache = gcm.createCache();
    await expect(cache.get('old')).rejects.toMatchObject(refused);
    cache.close();
    await both.put('new', Buffer.from('w'), { version: '3' });
    await expect(gcm.rollback('new', { version: '2' })).rejects.toMatchObject(refused);
    const puts = await outcomesOf(
      gcm.putAll([{ name: 'old', value: Buffer.from('x') }], { skipUnchanged: true }),
    );
    expect(puts).toMatchObject([{ done: 'failed', error: refused }]);
  });

  it('is neither rewritten nor copied where it is in a format that is refused, on either side', async () => {
    const [both, gcm] = [open(), open(['AES-256-GCM'])];
    await both.put('old', Buffer.from('x'), original);
    await both.put('new', Buffer.from('y'));
    const failed = { name: 'old', done: 'failed', error: refused };
    expect(await outcomesOf(gcm.migrate())).toMatchObject([failed]);
    expect(await outcomesOf(gcm.rekey({ glob: 'old' }))).toMatchObject([failed]);
    const copied = { name: 'new', done: 'changed' };
    const sides: [string, Credstash, Credstash][] = [
      ['the source', gcm, open(undefined, 'one')],
      ['the target', both, open(['AES-256-GCM'], 'two')],
    ];
    for (const [side, from, to] of sides) {
      expect(await outcomesOf(from.copy(to)), side).toMatchObject([copied, failed]);
      expect(await to.names(), side).toEqual(['new']);
    }
    expect(await both.getText('old')).toBe('x');
    expect(await outcomesOf(both.migrate())).toMatchObject([{ name: 'old', done: 'changed' }]);
    expect(await gcm.getText('old')).toBe('x');
  });

  it('writes no format that is refused, and says so before anything is created', async () => {
    const gcm = open(['AES-256-GCM'], 'absent');
    const one = [{ name: 'a', value: Buffer.from('x') }];
    const usage = { code: 'USAGE', message: expect.stringContaining('formats') as string };
    await expect(gcm.put('a', Buffer.from('x'), original)).rejects.toMatchObject(usage);
    await expect(outcomesOf(gcm.putAll(one, original))).rejects.toMatchObject(usage);
    await expect(gcm.rollback('a', original)).rejects.toMatchObject(usage);
    await expect(outcomesOf(gcm.migrate(original))).rejects.toMatchObject(usage);
    const contrary = { ...original, formats: ['AES-256-GCM'] as const };
    const byDefault = Credstash.local(join(folder, 'absent'), contrary);
    await expect(byDefault.put('a', Buffer.from('x'))).rejects.toMatchObject(usage);
    await expect(
      Credstash.local(join(folder, 'absent'), { create: false }).names(),
    ).rejects.toMatchObject({ code: 'VAULT_NOT_FOUND' });
  });
});
