import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import type { EntryHeader } from '../../src/model/entry.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';
import { v } from '../support/version.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

describe('headers', () => {
  it('has what list has, of the names that match, in no order', async () => {
    for (const name of ['b', 'a', 'ab']) await backend.plant(name, v(1));
    await backend.plant('a', v(2));
    const headers: EntryHeader[] = [];
    for await (const header of credstash.headers('a*')) headers.push(header);
    expect(headers).toHaveLength(3);
    expect(headers).toEqual(expect.arrayContaining(await credstash.list('a*')));
    await expect(credstash.headers('x'.repeat(2049)).next()).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});

describe('list', () => {
  it('orders by name and version, by their bytes', async () => {
    for (const [name, version] of [
      ['b', v(1)],
      ['a', v(10)],
      ['a', v(9)],
      ['\u{10000}', v(1)],
      ['\uffff', v(1)],
    ] as const) {
      await backend.plant(name, version);
    }
    const listed = (await credstash.list()).map(({ name, version }) => [name, version]);
    expect(listed).toEqual([
      ['a', v(9)],
      ['a', v(10)],
      ['b', v(1)],
      ['\uffff', v(1)],
      ['\u{10000}', v(1)],
    ]);
    expect(await credstash.list('a*')).toHaveLength(2);
  });
});
