import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Backend } from '../src/backend/backend.ts';
import { openLocal } from '../src/backend/local/index.ts';
import type { Change } from '../src/changes.ts';
import type { Entry } from '../src/entry.ts';
import { CredstashError } from '../src/errors.ts';
import { Flows } from '../src/flows.ts';

let folder: string;
let vault: ReturnType<typeof openLocal>;
let flows: Flows;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'credstash-rewrite-'));
  vault = openLocal(join(folder, 'vault'), { create: true });
  flows = over({});
  for (const name of ['a', 'b', 'c']) {
    await flows.put(name, Buffer.from(`of ${name}`), { cipher: 'AES-256-CTR' });
  }
});
afterEach(() => {
  vault.vault.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The flows over the vault, with some of it replaced. */
function over({ keys = {}, entries = {} }: { keys?: object; entries?: object }): Flows {
  const proxy = <T extends object>(target: T, own: object): T =>
    new Proxy(target, {
      get: (_, name) => {
        const member: unknown = Reflect.get(name in own ? own : target, name);
        return typeof member === 'function' ? (member.bind(target) as unknown) : member;
      },
    });
  const backend: Backend = {
    keys: proxy(vault.keys, keys),
    entries: proxy(vault.entries, entries),
  };
  return new Flows(() => Promise.resolve(backend));
}

async function all(): Promise<Entry[]> {
  const found: Entry[] = [];
  for await (const each of vault.entries.all()) found.push(each.read());
  return found;
}

async function outcomes(changes: AsyncIterable<Change>): Promise<string[]> {
  const told: string[] = [];
  for await (const each of changes) {
    told.push(`${each.name} ${each.done === 'failed' ? each.error.code : each.done}`);
  }
  return told;
}

it('migrate replaces nothing by what cannot be opened here', async () => {
  const before = await all();
  const wrapped = before.map(({ key }) => Buffer.from(key).toString('hex'));
  // As of somebody who may wrap under the new key, and not unwrap.
  const unwrap: Backend['keys']['unwrap'] = (key, context) =>
    wrapped.includes(Buffer.from(key).toString('hex'))
      ? vault.keys.unwrap(key, context)
      : Promise.reject(new CredstashError('ACCESS_DENIED', 'on purpose'));
  expect(await outcomes(over({ keys: { unwrap } }).migrate())).toEqual([
    'a ACCESS_DENIED',
    'b ACCESS_DENIED',
    'c ACCESS_DENIED',
  ]);
  expect(await all()).toEqual(before);
});

it('migrate puts back what does not read back, and stops', async () => {
  const before = await all();
  // The table gives something else than what was written to it.
  const at: Backend['entries']['at'] = async (name, version) => {
    const entry = await vault.entries.at(name, version);
    return entry?.cipher === 'AES-256-GCM' ? { ...entry, comment: 'another' } : entry;
  };
  expect(await outcomes(over({ entries: { at } }).migrate())).toEqual([
    'a UNEXPECTED',
    'b UNEXPECTED',
    'c UNEXPECTED',
  ]);
  expect(await all()).toEqual(before);
});

it('copy takes no old version where the newest one failed', async () => {
  await flows.put('a', Buffer.from('newer'), { autoversion: true });
  const newest = (await vault.entries.latest('a')) as Entry;
  await vault.entries.replace({ ...newest, comment: 'changed' }, newest);
  const there = openLocal(join(folder, 'there'), { create: true });
  const to = new Flows(() => Promise.resolve(there));
  expect(await outcomes(flows.copy(to))).toEqual([
    'a INTEGRITY',
    'a INTEGRITY',
    'b changed',
    'c changed',
  ]);
  expect(await to.names()).toEqual(['b', 'c']);
  there.vault.close();
});

it('rollback keeps how the hmac of another port stands', async () => {
  await flows.put('port', Buffer.from('one'), { cipher: 'AES-256-CTR', hmacAsText: true });
  await flows.put('port', Buffer.from('two'), { autoversion: true });
  await flows.rollback('port');
  expect(await vault.entries.latest('port')).toMatchObject({
    cipher: 'AES-256-CTR',
    hmacAsText: true,
  });
});

it('rollback takes the version as it stands, where another spelling of it is there too', async () => {
  for (const version of ['3', '4']) {
    await flows.put('spelled', Buffer.from(`plain ${version}`), { version, exactVersion: true });
  }
  await flows.put('spelled', Buffer.from('padded 3'), { version: '3' });
  // By their bytes, `3` and `4` come after the padded one.
  await expect(flows.rollback('spelled')).rejects.toMatchObject({ code: 'VERSION_NOT_NUMERIC' });
  await flows.put('spelled', Buffer.from('newest'), { version: '5'.repeat(19) });
  const { from } = await flows.rollback('spelled', { version: '4' });
  expect(from).toBe('4');
  expect(Buffer.from(await flows.get('spelled')).toString()).toBe('plain 4');
});
