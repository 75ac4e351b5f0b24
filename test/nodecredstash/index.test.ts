import { KMSClient } from '@aws-sdk/client-kms';
import { existsSync } from 'node:fs';
import { Agent } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError } from '../../src/errors.ts';
import CredStash, {
  type CredStashOptions,
  type SdkOptions,
} from '../../src/nodecredstash/index.ts';
import { type Aws, dynamoEngines, startAws } from '../support/aws.ts';
import { createTable, putRaw, scanRaw } from '../support/dynamo.ts';
import { describeUnless } from '../support/needed.ts';
import { testCredential } from '../support/sigv4.ts';
import { v } from '../support/version.ts';

/*
 * The same calls on nodecredstash 2.0.2 and on the class that takes its place, on the same servers. Each test has a table
 * for either, and compares what comes back and what then stands in the tables.
 */

// It says on stderr that the SDK 2 is old.
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = '1';
const manifest = join(import.meta.dirname, '../../.cache/nodecredstash/package.json');
const missing = existsSync(manifest) ? undefined : 'it is not there (npm run test:tools)';
const theirsFrom = (name: string): unknown => createRequire(manifest)(name);

/** Both classes, as an application without types sees them. */
type Stash = Record<
  Exclude<keyof CredStash, 'paddedInt' | 'getConfiguration' | 'close'>,
  (...args: unknown[]) => Promise<unknown>
> &
  Record<'paddedInt' | 'getConfiguration', (...args: unknown[]) => unknown>;
type Class = new (options?: CredStashOptions) => Stash;
const Ours = CredStash as unknown as Class;

const entriesOf = async (secrets: Promise<unknown>): Promise<unknown> =>
  Object.entries((await secrets) as object);
let tables = 0;

describe.each(dynamoEngines())('on $name', ({ start }) => {
  describeUnless(missing, 'nodecredstash 2.0.2', () => {
    const Theirs = missing === undefined ? (theirsFrom('nodecredstash') as Class) : Ours;
    let aws: Aws;
    let theirs: Stash;
    let ours: Stash;
    /** The names of their tables. */
    let table: { theirs: string; ours: string };

    beforeAll(async () => {
      aws = await startAws(start);
    });
    afterAll(async () => {
      await aws.close();
    });
    beforeEach(async () => {
      tables += 1;
      table = { theirs: `theirs-${tables}`, ours: `ours-${tables}` };
      await Promise.all(Object.values(table).map((name) => createTable(aws.dynamo.url, name)));
      theirs = new Theirs(options(table.theirs));
      ours = new Ours(options(table.ours));
    });

    /** Of the SDK 2, for both. */
    function options(name: string): CredStashOptions {
      return {
        table: name,
        awsOpts: { region: 'us-east-1', ...testCredential, maxRetries: 0 },
        dynamoOpts: { endpoint: aws.dynamo.url },
        kmsOpts: { endpoint: aws.kms.url },
      };
    }

    /** What comes of `calls` on either. */
    async function both<T>(calls: (stash: Stash) => Promise<T>): Promise<{ theirs: T; ours: T }> {
      return { theirs: await calls(theirs), ours: await calls(ours) };
    }

    /** What comes of `calls`, which is the same on both, but for what DynamoDB Local says of units that nobody asked for. */
    async function same<T>(calls: (stash: Stash) => Promise<T>): Promise<T> {
      const came = await both(calls);
      expect(came.ours).toEqual(withoutUnits(came.theirs));
      return came.ours;
    }

    function withoutUnits(result: unknown): unknown {
      if (Array.isArray(result)) return result.map(withoutUnits);
      if (typeof result !== 'object' || result === null) return result;
      const { ConsumedCapacity: _, ...rest } = result as Record<string, unknown>;
      return rest;
    }

    /** The error of a call that both refuse: ours. */
    async function refused(calls: (stash: Stash) => Promise<unknown>): Promise<CredstashError> {
      const came = await both((stash) => calls(stash).catch((error: unknown) => ({ error })));
      expect(came.theirs).toEqual({ error: expect.any(Error) as unknown });
      expect(came.ours).toEqual({ error: expect.any(CredstashError) as unknown });
      return (came.ours as { error: CredstashError }).error;
    }

    /** What stands in a table: of each attribute its type, and its value where that is not sealed. */
    async function standing(name: string): Promise<unknown> {
      const items = await scanRaw(aws.dynamo.url, name);
      return items
        .map((item) =>
          Object.fromEntries(
            Object.entries(item).map(([attribute, value]) => [
              attribute,
              ['name', 'version', 'digest'].includes(attribute) ? value : Object.keys(value),
            ]),
          ),
        )
        .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    }

    const texts = ['x', ' spaces\n', 'ünï ☃', '\ufeffBOM', 'a\0b', 'x'.repeat(100_000)];

    it('stores and gets texts, and each opens what the other stored', async () => {
      for (const [i, secret] of texts.entries()) {
        const name = `n${i}`;
        expect(await same((stash) => stash.putSecret({ name, secret }))).toEqual({});
        expect(await same((stash) => stash.getSecret({ name }))).toBe(secret);
      }
      expect(await standing(table.ours)).toEqual(await standing(table.theirs));
      const crossed = {
        theirs: new Theirs(options(table.ours)),
        ours: new Ours(options(table.theirs)),
      };
      for (const [i, secret] of texts.entries()) {
        expect(await crossed.theirs.getSecret({ name: `n${i}` })).toBe(secret);
        expect(await crossed.ours.getSecret({ name: `n${i}` })).toBe(secret);
      }
      expect(await crossed.ours.getAllSecrets()).toEqual(await crossed.theirs.getAllSecrets());
    });

    it('has every character right, of which nodecredstash 2 garbles those beyond the first 65536', async () => {
      await same((stash) => stash.putSecret({ name: 'n', secret: '🔑' }));
      expect(await ours.getSecret({ name: 'n' })).toBe('🔑');
      expect(await new Ours(options(table.theirs)).getSecret({ name: 'n' })).toBe('🔑');
      expect(await theirs.getSecret({ name: 'n' })).not.toBe('🔑');
    });

    it('takes bytes and numbers for their text', async () => {
      await same((stash) => stash.putSecret({ name: 'bytes', secret: Buffer.from('☃') }));
      await same((stash) => stash.putSecret({ name: 'number', secret: 1234 }));
      expect(await same((stash) => stash.getAllSecrets())).toEqual({ bytes: '☃', number: '1234' });
    });

    it('pads a version that is a number, and takes a text as it is', async () => {
      const versions = [1, 0, 12, '7', '1.9.1', 'b', v(3)];
      for (const version of versions) {
        const secret = `of ${version}`;
        await same((stash) => stash.putSecret({ name: 'n', secret, version }));
        expect(await same((stash) => stash.getSecret({ name: 'n', version }))).toBe(secret);
      }
      await same((stash) => stash.putSecret({ name: 'n', secret: 'of a text', version: '1' }));
      expect(await same((stash) => stash.getSecret({ name: 'n', version: '1' }))).toBe('of a text');
      expect(await same((stash) => stash.getSecret({ name: 'n', version: 1 }))).toBe('of 1');
      expect(await same((stash) => stash.getSecret({ name: 'n' }))).toBe('of b');
      expect(await same((stash) => stash.getSecret({ name: 'n', version: null }))).toBe('of b');
      expect(await same((stash) => stash.listSecrets())).toHaveLength(versions.length + 1);
      expect(await standing(table.ours)).toEqual(await standing(table.theirs));
      const all = await same((stash) => stash.getAllVersions({ name: 'n' }));
      expect(all).toContainEqual({ version: '1', secret: 'of a text' });
      expect(all).toContainEqual({ version: v(1), secret: 'of 1' });
      await same((stash) => stash.deleteSecret({ name: 'n', version: '1' }));
      expect(await same((stash) => stash.getSecret({ name: 'n', version: 1 }))).toBe('of 1');
      await refused((stash) => stash.getSecret({ name: 'n', version: '12' }));
    });

    it('opens under the same encryption context alone', async () => {
      const context = { env: 'prod', app: 'a' };
      await same((stash) => stash.putSecret({ name: 'n', secret: 's', context }));
      expect(await same((stash) => stash.getSecret({ name: 'n', context }))).toBe('s');
      for (const wrong of [undefined, {}, { env: 'prod' }, { ...context, more: 'x' }]) {
        const error = await refused((stash) => stash.getSecret({ name: 'n', context: wrong }));
        expect(error.code).toBe('WRONG_CONTEXT');
      }
      expect(await new Ours(options(table.theirs)).getSecret({ name: 'n', context })).toBe('s');
      expect(await new Theirs(options(table.ours)).getSecret({ name: 'n', context })).toBe('s');
    });

    it('has every digest that may still be written', async () => {
      for (const digest of ['SHA256', 'SHA384', 'SHA512']) {
        await same((stash) => stash.putSecret({ name: digest, secret: digest, digest }));
      }
      expect(await standing(table.ours)).toEqual(await standing(table.theirs));
      expect(await new Theirs(options(table.ours)).getAllSecrets()).toEqual(
        await new Ours(options(table.theirs)).getAllSecrets(),
      );
      await theirs.putSecret({ name: 'lower', secret: 's', digest: 'sha512' });
      expect(await new Ours(options(table.theirs)).getSecret({ name: 'lower' })).toBe('s');
      await ours.putSecret({ name: 'n', secret: 's', digest: 'sha512' });
      expect(await new Theirs(options(table.ours)).getSecret({ name: 'n' })).toBe('s');
      await expect(ours.putSecret({ name: 'n', secret: 's', digest: 'MD5' })).rejects.toMatchObject(
        {
          code: 'USAGE',
        },
      );
    });

    it.each([
      ['putSecret', { secret: 's' }, 'name is a required parameter'],
      ['putSecret', { name: 'n' }, 'secret is a required parameter'],
      ['putSecret', { name: 'n', secret: '' }, 'secret is a required parameter'],
      ['getSecret', undefined, 'name is a required parameter'],
      ['getSecret', 'n', 'name is a required parameter'],
      ['getAllVersions', {}, 'name is a required parameter'],
      ['getHighestVersion', { name: '' }, 'name is a required parameter'],
      ['incrementVersion', {}, 'name is a required parameter'],
      ['deleteSecret', { version: 1 }, 'name is a required parameter'],
      ['deleteSecret', { name: 'n' }, 'version is a required parameter'],
      ['deleteSecrets', {}, 'name is a required parameter'],
    ] as const)('%s of %j says that %s', async (name, given, message) => {
      const came = await both((stash) => stash[name](given).catch(String));
      expect(came.theirs).toBe(`Error: ${message}`);
      expect(came.ours).toBe(`CredstashError: ${message}`);
    });

    it('refuses what nodecredstash refuses, with a code', async () => {
      await same((stash) => stash.putSecret({ name: 'n', secret: 's' }));
      const put = await refused((stash) => stash.putSecret({ name: 'n', secret: 'other' }));
      expect(put.code).toBe('VERSION_EXISTS');
      const get = await refused((stash) => stash.getSecret({ name: 'absent' }));
      expect(get.code).toBe('SECRET_NOT_FOUND');
      const version = await refused((stash) => stash.getSecret({ name: 'n', version: 2 }));
      expect(version.code).toBe('VERSION_NOT_FOUND');
      for (const item of await scanRaw(aws.dynamo.url, table.ours)) {
        const hmac = { S: '00'.repeat(32) };
        await putRaw(aws.dynamo.url, table.theirs, { ...item, hmac });
        await putRaw(aws.dynamo.url, table.ours, { ...item, hmac });
      }
      const forged = await refused((stash) => stash.getSecret({ name: 'n' }));
      expect(forged.code).toBe('INTEGRITY');
      expect(forged.message).not.toContain('00'.repeat(32));
    });

    it('tells what is wrong with table and key by codes', async () => {
      const none = new Ours({ ...options(table.ours), table: 'none' });
      const noneOfTheirs = new Theirs({ ...options(table.ours), table: 'none' });
      await expect(noneOfTheirs.getSecret({ name: 'n' })).rejects.toMatchObject({
        code: 'ResourceNotFoundException',
      });
      await expect(none.getSecret({ name: 'n' })).rejects.toMatchObject({
        code: 'TABLE_NOT_FOUND',
      });
      const keyless = { ...options(table.ours), kmsKey: 'alias/none' };
      await expect(new Theirs(keyless).putSecret({ name: 'n', secret: 's' })).rejects.toMatchObject(
        { code: 'NotFoundException' },
      );
      await expect(new Ours(keyless).putSecret({ name: 'n', secret: 's' })).rejects.toMatchObject({
        code: 'KEY_NOT_FOUND',
      });
    });

    it.each([
      { name: 5, secret: 's' },
      { name: 'n', secret: {} },
      { name: 'n', secret: '\ud800' },
      { name: 'n', secret: 's', version: '' },
      { name: 'n', secret: 's', context: { a: 5 } },
    ])('%j is refused by both, ours before the first request', async (given) => {
      const before = aws.kms.requests.length;
      await expect(ours.putSecret(given)).rejects.toMatchObject({ code: 'USAGE' });
      expect(aws.kms.requests.length).toBe(before);
      // An object would be stored as [object Object].
      if (typeof given.secret === 'string') await expect(theirs.putSecret(given)).rejects.toThrow();
    });

    it('counts versions', async () => {
      const counted = (stash: Stash): Promise<unknown[]> =>
        Promise.all([
          stash.getHighestVersion({ name: 'n' }),
          stash.incrementVersion({ name: 'n' }),
        ]);
      expect(await same(counted)).toEqual([0, v(1)]);
      await same((stash) => stash.putSecret({ name: 'n', secret: 's' }));
      expect(await same(counted)).toEqual([v(1), v(2)]);
      await same((stash) => stash.putSecret({ name: 'n', secret: 's', version: 99 }));
      expect(await same(counted)).toEqual([v(99), v(100)]);
      await same((stash) => stash.putSecret({ name: 'n', secret: 's', version: 'x' }));
      const error = await refused((stash) => stash.incrementVersion({ name: 'n' }));
      expect(error.code).toBe('VERSION_NOT_NUMERIC');
    });

    it('counts to no version that would never be the newest, as nodecredstash does', async () => {
      await same((stash) => stash.putSecret({ name: 'n', secret: 's', version: '3' }));
      expect(await theirs.incrementVersion({ name: 'n' })).toBe(v(4));
      await expect(ours.incrementVersion({ name: 'n' })).rejects.toMatchObject({
        code: 'VERSION_NOT_NUMERIC',
      });
    });

    it('gives every version, and of them the newest that are asked for', async () => {
      for (const version of [1, 2, 10]) {
        await same((stash) => stash.putSecret({ name: 'n', secret: `s${version}`, version }));
      }
      await same((stash) => stash.putSecret({ name: 'n2', secret: 'other' }));
      expect(await same((stash) => stash.getAllVersions({ name: 'n' }))).toEqual([
        { version: v(10), secret: 's10' },
        { version: v(2), secret: 's2' },
        { version: v(1), secret: 's1' },
      ]);
      expect(await same((stash) => stash.getAllVersions({ name: 'absent' }))).toEqual([]);
      // Its README says so; there it is the size of a page, and all pages are read.
      expect(await theirs.getAllVersions({ name: 'n', limit: 2 })).toHaveLength(3);
      expect(await ours.getAllVersions({ name: 'n', limit: 2 })).toEqual([
        { version: v(10), secret: 's10' },
        { version: v(2), secret: 's2' },
      ]);
      const error = await refused((stash) => stash.getAllVersions({ name: 'n', limit: 0 }));
      expect(error.code).toBe('USAGE');
      const context = { a: 'b' };
      await same((stash) => stash.putSecret({ name: 'n', secret: 's', version: 11, context }));
      const wrong = await refused((stash) => stash.getAllVersions({ name: 'n' }));
      expect(wrong.code).toBe('WRONG_CONTEXT');
    });

    it('lists by name, the newest first', async () => {
      for (const name of ['b', 'a', 'B', 'ä', 'a.b', 'a-b', '10', '9']) {
        for (const version of [1, 2, 10]) {
          await same((stash) => stash.putSecret({ name, secret: 's', version }));
        }
      }
      const listed = (await same((stash) => stash.listSecrets())) as { name: string }[];
      expect(listed).toHaveLength(24);
      expect(listed.filter(({ name }) => name === 'a')).toEqual(
        [10, 2, 1].map((n) => ({ name: 'a', version: v(n) })),
      );
    });

    it('gives all secrets, sorted, or some', async () => {
      await same((stash) => stash.putSecret({ name: 'b.x', secret: 'old' }));
      await same((stash) => stash.putSecret({ name: 'b.x', secret: 'new', version: 2 }));
      await same((stash) => stash.putSecret({ name: 'a', secret: 'A', version: 'v1' }));
      await same((stash) => stash.putSecret({ name: 'b.*', secret: 'star' }));
      expect(await same((stash) => entriesOf(stash.getAllSecrets()))).toEqual([
        ['a', 'A'],
        ['b.*', 'star'],
        ['b.x', 'new'],
      ]);
      for (const [given, expected] of [
        [{ startsWith: 'b.' }, { 'b.*': 'star', 'b.x': 'new' }],
        [{ startsWith: 'b.*' }, { 'b.*': 'star' }],
        [{ startsWith: 'c' }, {}],
        [{ startsWith: '' }, { a: 'A', 'b.*': 'star', 'b.x': 'new' }],
        [{ version: 1 }, { 'b.*': 'star', 'b.x': 'old' }],
        [{ version: v(2) }, { 'b.x': 'new' }],
        [{ version: 'v1' }, { a: 'A' }],
        [{ version: 'v' }, {}],
      ]) {
        expect(await same((stash) => stash.getAllSecrets(given))).toEqual(expected);
      }
    });

    it('leaves nothing out of all secrets, unless it is asked to', async () => {
      const context = { a: 'b' };
      await same((stash) => stash.putSecret({ name: 'open', secret: 's' }));
      await same((stash) => stash.putSecret({ name: 'other', secret: 't', context }));
      expect(await theirs.getAllSecrets()).toEqual({ open: 's' });
      await expect(ours.getAllSecrets()).rejects.toMatchObject({
        code: 'WRONG_CONTEXT',
        failures: [{ name: 'other' }],
      });
      expect(await ours.getAllSecrets({ skipUndecryptable: true })).toEqual({ open: 's' });
      expect(await same((stash) => stash.getAllSecrets({ startsWith: 'op' }))).toEqual({
        open: 's',
      });
    });

    it('tells of a secret that is no text, and replaces nothing in it', async () => {
      const credstash = new Credstash({
        table: table.ours,
        region: 'us-east-1',
        credentials: testCredential,
        clientOptions: {
          dynamodb: { endpoint: aws.dynamo.url },
          kms: { endpoint: aws.kms.url },
        },
      });
      await credstash.put('binary', Uint8Array.of(0xff, 0x80), { cipher: 'AES-256-CTR' });
      await credstash.put('text', Buffer.from('s'), { cipher: 'AES-256-CTR' });
      await credstash.close();
      await expect(ours.getSecret({ name: 'binary' })).rejects.toMatchObject({ code: 'USAGE' });
      await expect(ours.getAllSecrets()).rejects.toMatchObject({ failures: [{ name: 'binary' }] });
      expect(await ours.getAllSecrets({ skipUndecryptable: true })).toEqual({ text: 's' });
    });

    it('deletes one version or all, and what is not there as well', async () => {
      for (const version of [1, 2, 3]) {
        await same((stash) => stash.putSecret({ name: 'n', secret: 's', version }));
      }
      await same((stash) => stash.putSecret({ name: 'm', secret: 's' }));
      expect(await same((stash) => stash.deleteSecret({ name: 'n', version: 2 }))).toEqual({});
      expect(await same((stash) => stash.deleteSecret({ name: 'n', version: 2 }))).toEqual({});
      expect(await same((stash) => stash.deleteSecret({ name: 'x', version: 1 }))).toEqual({});
      expect(await same((stash) => stash.deleteSecret({ name: 'n', version: '3' }))).toEqual({});
      expect(await same((stash) => stash.listSecrets())).toHaveLength(3);
      expect(await same((stash) => stash.deleteSecrets({ name: 'n' }))).toEqual([{}, {}]);
      expect(await same((stash) => stash.deleteSecrets({ name: 'n' }))).toEqual([]);
      expect(await same((stash) => stash.listSecrets())).toEqual([{ name: 'm', version: v(1) }]);
    });

    it('creates a table that either can use, and leaves one alone that is there', async () => {
      const name = `created-${tables}`;
      const created = new Ours(options(name));
      expect(await created.createDdbTable()).toBeUndefined();
      const other = new Theirs(options(name));
      expect(await other.createDdbTable()).toBeUndefined();
      await other.putSecret({ name: 'n', secret: 's' });
      expect(await created.createDdbTable({})).toBeUndefined();
      expect(await created.getSecret({ name: 'n' })).toBe('s');
    });

    it('calls back with undefined and the result, or with the error alone, and once', async () => {
      const called = (
        stash: Stash,
        method: Exclude<keyof Stash, 'paddedInt' | 'getConfiguration'>,
        ...given: unknown[]
      ): Promise<unknown[][]> => {
        const calls: unknown[][] = [];
        const call = stash[method](...given, (...args: unknown[]) => {
          calls.push(args);
        });
        return call.then(() => calls);
      };
      const put = { name: 'n', secret: 's' };
      expect(await same((stash) => called(stash, 'putSecret', put))).toEqual([[undefined, {}]]);
      expect(await same((stash) => called(stash, 'getSecret', put))).toEqual([[undefined, 's']]);
      for (const [method, result] of [
        ['listSecrets', [{ name: 'n', version: v(1) }]],
        ['getAllSecrets', { n: 's' }],
        ['createDdbTable', undefined],
      ] as const) {
        expect(await same((stash) => called(stash, method))).toEqual([[undefined, result]]);
      }
      for (const [method, given] of [
        ['putSecret', put],
        ['getSecret', {}],
        ['deleteSecret', put],
      ] as const) {
        const came = await both((stash) => called(stash, method, given));
        expect(came.theirs).toEqual([[expect.any(Error)]]);
        expect(came.ours).toEqual([[expect.any(CredstashError)]]);
      }
      expect(
        await same((stash) => stash.getSecret(put, (_: unknown, text: string) => `${text}!`)),
      ).toBe('s!');
      // There it is called again, with what it threw.
      const throwing = async (stash: Stash): Promise<[number, unknown]> => {
        let calls = 0;
        const thrown = await stash
          .getSecret(put, () => {
            calls += 1;
            throw new Error('of the callback');
          })
          .catch((error: unknown) => error);
        return [calls, thrown];
      };
      expect(await both(throwing)).toEqual({
        theirs: [2, new Error('of the callback')],
        ours: [1, new Error('of the callback')],
      });
    });

    it('has methods that can be taken off', async () => {
      const { putSecret, getSecret } = ours;
      await putSecret({ name: 'n', secret: 's' });
      expect(await getSecret({ name: 'n' })).toBe('s');
      const detached = theirs.getSecret;
      await theirs.putSecret({ name: 'n', secret: 's' });
      expect(await detached({ name: 'n' })).toBe('s');
    });

    it('pads numbers, as release 2 and as release 3', () => {
      expect(theirs.paddedInt(19, 7)).toBe(v(7));
      expect(ours.paddedInt(19, 7)).toBe(v(7));
      expect(new CredStash().paddedInt(7)).toBe(v(7));
      expect(new CredStash().paddedInt(3, 12345)).toBe('12345');
    });

    it('gives its configuration', () => {
      expect(new Ours(options('t')).getConfiguration()).toEqual(
        new Theirs(options('t')).getConfiguration(),
      );
      expect(new Ours().getConfiguration()).toEqual({
        config: {},
        dynamoConfig: { table: 'credential-store', opts: {} },
        kmsConfig: { kmsKey: 'alias/credstash', opts: {} },
      });
    });

    it('stores what nodecredstash refuses only when it is asked to', async () => {
      const gcm = new Ours({ ...options(table.ours), cipher: 'AES-256-GCM' });
      await gcm.putSecret({ name: 'n', secret: 's', version: '1.0' });
      expect(await gcm.getSecret({ name: 'n' })).toBe('s');
      expect(await ours.getSecret({ name: 'n', version: '1.0' })).toBe('s');
      await expect(new Theirs(options(table.ours)).getSecret({ name: 'n' })).rejects.toThrow();
    });

    it('takes table and key of each call, as release 3', async () => {
      const { table: _, ...rest } = options('');
      const stash = new CredStash(rest);
      const key = aws.kms.addKey('alias/other');
      const where = { tableName: table.ours, kmsKey: 'alias/other' };
      await stash.putSecret({ name: 'n', secret: 's', ...where });
      expect(aws.kms.requests.at(-1)?.body).toMatchObject({ KeyId: 'alias/other' });
      expect(key).toContain('arn:');
      expect(await stash.getSecret({ name: 'n', ...where })).toBe('s');
      expect(await stash.getAllSecrets(where)).toEqual({ n: 's' });
      expect(await stash.listSecrets(where)).toEqual([{ name: 'n', version: v(1) }]);
      expect(await stash.listSecrets({ tableName: table.theirs })).toEqual([]);
      // There it would delete from the default table.
      expect(await stash.deleteSecrets({ name: 'n', ...where })).toEqual([{}]);
      expect(await stash.listSecrets(where)).toEqual([]);
      await stash.close();
      expect(await stash.listSecrets(where)).toEqual([]);
    });

    it('errors have the texts of nodecredstash, and a code', async () => {
      const say = async (promise: Promise<unknown>): Promise<string> => {
        const error: unknown = await promise.catch((each: unknown) => each);
        expect(error).toBeInstanceOf(CredstashError);
        return (error as Error).message;
      };
      const context = { env: 'prod' };
      await ours.putSecret({ name: 'n', secret: 'canary', context, version: 'x' });
      expect(await say(ours.putSecret({ name: 'n', secret: 's', version: 'x' }))).toContain(
        'n version x is already in the credential store.',
      );
      expect(await say(ours.getSecret({ name: 'n' }))).toContain(
        'Could not decrypt hmac key with KMS. The credential may require that an encryption context be provided to decrypt it.',
      );
      expect(await say(ours.getSecret({ name: 'n', context: { env: 'test' } }))).toContain(
        'The encryption context provided may not match the one used when the credential was stored.',
      );
      expect(await say(ours.incrementVersion({ name: 'n' }))).toContain('is not an int');
      for (const where of [{ name: 'none' }, { name: 'n', version: 9 }]) {
        expect(await say(ours.getSecret(where))).toContain(
          `Item {'name': '${where.name}'} could not be found.`,
        );
      }
      const other = new Ours({ ...options(table.ours), kmsKey: 'alias/none' });
      expect(await say(other.putSecret({ name: 'm', secret: 's' }))).toContain(
        'Could not generate key using KMS key alias/none',
      );
      // A callback is given the same text.
      const told = await ours.getSecret({ name: 'none' }, (error: Error) => error.message);
      expect(told).toContain('could not be found.');
    });

    describe('options of the SDK', () => {
      const { accessKeyId, secretAccessKey } = testCredential;
      const keys = { accessKeyId, secretAccessKey };
      const bad = { accessKeyId: 'AKIDNOBODY', secretAccessKey: 'x' };

      async function works(opts: SdkOptions, kmsOpts: SdkOptions = {}): Promise<void> {
        const { dynamoOpts, ...rest } = options(table.ours);
        for (const Each of [Theirs, Ours]) {
          const stash = new Each({
            ...rest,
            awsOpts: { region: 'us-east-1', ...opts },
            dynamoOpts: { ...dynamoOpts },
            kmsOpts: { endpoint: aws.kms.url, ...kmsOpts },
          });
          const version = Each === Ours ? 2 : 1;
          await stash.putSecret({ name: 'n', secret: 's', version });
          expect(await stash.getSecret({ name: 'n', version })).toBe('s');
        }
      }

      it('2: credentials in every form, of which the keys come first', async () => {
        const sdk = theirsFrom('aws-sdk') as {
          Credentials: new (keys: object) => NonNullable<SdkOptions['credentials']>;
          CredentialProviderChain: new (
            providers: unknown[],
          ) => NonNullable<SdkOptions['credentialProvider']>;
          Endpoint: new (url: string) => { href: string };
        };
        await works({
          credentials: new sdk.Credentials(keys),
          ...{ endpoint: new sdk.Endpoint(aws.dynamo.url) },
        });
        const again = new Ours({
          ...options(table.ours),
          awsOpts: {
            region: 'us-east-1',
            credentialProvider: new sdk.CredentialProviderChain([() => new sdk.Credentials(keys)]),
          },
        });
        expect(await again.getSecret({ name: 'n' })).toBe('s');
        const keysFirst = new Ours({
          ...options(table.ours),
          awsOpts: { region: 'us-east-1', ...keys, credentials: bad },
        });
        expect(await keysFirst.getSecret({ name: 'n' })).toBe('s');
        const none = new sdk.CredentialProviderChain([
          {
            get: (callback: (error: Error) => void) => {
              callback(new Error('canary'));
            },
          },
        ]);
        const failing = new Ours({
          ...options(table.ours),
          awsOpts: { region: 'us-east-1', credentialProvider: none },
        });
        const error: unknown = await failing.getSecret({ name: 'n' }).catch((e: unknown) => e);
        expect(error).toMatchObject({ code: 'NO_CREDENTIALS' });
        expect(String(error)).not.toContain('canary');
      });

      it('2: an endpoint without its protocol, and no TLS', async () => {
        await works(
          { ...keys, sslEnabled: false },
          { endpoint: aws.kms.url.replace('http://', '') },
        );
      });

      it('2: an agent of its own, which every request goes through', async () => {
        const agent = new Agent();
        let connections = 0;
        const create = agent.createConnection.bind(agent);
        agent.createConnection = (...args) => {
          connections += 1;
          return create(...args);
        };
        await works({ ...keys, httpOptions: { agent, timeout: 5000, connectTimeout: 2000 } });
        const ofTheirs = connections;
        expect(ofTheirs).toBeGreaterThan(3);
        await new Ours({
          ...options(table.ours),
          awsOpts: { region: 'us-east-1', ...keys, httpOptions: { agent } },
        }).getSecret({ name: 'n' });
        expect(connections).toBe(ofTheirs + 2);
        agent.destroy();
      });

      it('2: as many retries as it says, and no patience beyond', async () => {
        await ours.putSecret({ name: 'n', secret: 's' });
        aws.kms.fault('throttle', { action: 'Decrypt' });
        const tries = async (stash: Stash): Promise<number> => {
          const before = aws.kms.requests.length;
          await expect(stash.getSecret({ name: 'n' })).rejects.toThrow();
          return aws.kms.requests.length - before;
        };
        const with2 = { ...options(table.ours), kmsOpts: { endpoint: aws.kms.url, maxRetries: 2 } };
        try {
          expect(await tries(new Theirs(with2))).toBe(3);
          expect(await tries(new Ours(with2))).toBe(3);
          expect(await tries(ours)).toBe(1);
          // Whatever is left out, an outage is none of it.
          const theirsOnTheSame = new Theirs(options(table.ours));
          expect(await theirsOnTheSame.getAllSecrets()).toEqual({});
          const skipping = ours.getAllSecrets({ skipUndecryptable: true });
          await expect(skipping).rejects.toMatchObject({ code: 'THROTTLED' });
        } finally {
          aws.kms.clear();
        }
      });

      it('of each service: region, credentials', async () => {
        const stash = new Ours({
          table: table.ours,
          awsOpts: { region: 'eu-west-1', ...bad },
          dynamoOpts: { endpoint: aws.dynamo.url, region: 'us-east-1', ...keys },
          kmsOpts: { endpoint: aws.kms.url, ...keys },
        });
        await stash.putSecret({ name: 'n', secret: 's' });
        expect(aws.kms.requests.at(-1)?.region).toBe('eu-west-1');
        // Those of DynamoDB are not taken for KMS.
        vi.stubEnv('AWS_ACCESS_KEY_ID', bad.accessKeyId);
        vi.stubEnv('AWS_SECRET_ACCESS_KEY', bad.secretAccessKey);
        const ofOne = {
          table: table.ours,
          awsOpts: { region: 'us-east-1' },
          dynamoOpts: { endpoint: aws.dynamo.url, credentials: keys },
          kmsOpts: { endpoint: aws.kms.url },
        };
        try {
          await expect(new Theirs(ofOne).getSecret({ name: 'n' })).rejects.toThrow();
          await expect(new Ours(ofOne).getSecret({ name: 'n' })).rejects.toMatchObject({
            code: 'CREDENTIALS_REFUSED',
          });
        } finally {
          vi.unstubAllEnvs();
        }
      });

      it('3: functions that give region and credentials, URLs, attempts', async () => {
        await ours.putSecret({ name: 'n', secret: 's' });
        const stash = new CredStash({
          table: table.ours,
          dynamoOpts: {
            region: () => Promise.resolve('us-east-1'),
            endpoint: new URL(aws.dynamo.url),
            credentials: () => Promise.resolve(keys),
          },
          kmsOpts: {
            region: () => Promise.resolve('ap-south-1'),
            endpoint: aws.kms.url,
            credentials: keys,
            maxAttempts: 1,
            requestHandler: { requestTimeout: 5000 },
          },
        });
        expect(await stash.getSecret({ name: 'n' })).toBe('s');
        expect(aws.kms.requests.at(-1)?.region).toBe('ap-south-1');
      });

      it('3: a handler of its own', async () => {
        await ours.putSecret({ name: 'n', secret: 's' });
        const { requestHandler } = new KMSClient({}).config;
        const hosts: string[] = [];
        const counting = {
          handle: (...args: Parameters<typeof requestHandler.handle>) => {
            hosts.push((args[0] as { hostname: string }).hostname);
            return requestHandler.handle(...args);
          },
        };
        const stash = new CredStash({
          ...options(table.ours),
          kmsOpts: { endpoint: aws.kms.url, requestHandler: counting },
        });
        expect(await stash.getSecret({ name: 'n' }, (_: Error | null, text: string) => text)).toBe(
          's',
        );
        expect(hosts).toEqual(['127.0.0.1']);
      });

      it('2: no proxy, which would be passed by', async () => {
        const stash = new Ours({
          ...options(table.ours),
          kmsOpts: { httpOptions: { proxy: 'http://u:canary@127.0.0.1:9' } },
        });
        const error: unknown = await stash.getSecret({ name: 'n' }).catch((e: unknown) => e);
        expect(error).toMatchObject({ code: 'USAGE' });
        expect(String(error)).not.toContain('canary');
      });

      it('logs nothing', async () => {
        const lines: unknown[] = [];
        const log = (...args: unknown[]): number => lines.push(args);
        const logger = { debug: log, info: log, warn: log, error: log, log };
        const stash = new Ours({
          ...options(table.ours),
          awsOpts: { region: 'us-east-1', ...keys, logger },
        });
        await stash.putSecret({ name: 'n', secret: 'canary' });
        expect(await stash.getSecret({ name: 'n' })).toBe('canary');
        expect(lines).toEqual([]);
      });
    });
  });
});
