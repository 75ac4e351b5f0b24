import { describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import type { FindOptions } from '../../src/operations/find.ts';

const names = ({ found }: { found: readonly { name: string; version: string }[] }): string[] =>
  found.map(({ name, version }) => `${name} ${Number(version)}`);

async function fill(): Promise<Credstash> {
  const credstash = Credstash.inMemory();
  await credstash.put('app.a', 'leaked');
  await credstash.put('app.b', 'leaked\n');
  await credstash.put('app.c', 'Leaked');
  await credstash.put('app.d', 'leaked', { version: '1' });
  await credstash.put('app.d', 'rotated', { version: '2' });
  await credstash.put('db', 'leaked');
  await credstash.put('db.bytes', Buffer.from([0xff, 0x00]));
  return credstash;
}

describe('find', () => {
  it('finds the secrets that hold exactly the value', async () => {
    const credstash = await fill();
    expect(names(await credstash.find('leaked'))).toEqual(['app.a 1', 'db 1']);
    expect(names(await credstash.find('leake'))).toEqual([]);
    expect(names(await credstash.find('leaked\n'))).toEqual(['app.b 1']);
    expect(names(await credstash.find(Buffer.from([0xff, 0x00])))).toEqual(['db.bytes 1']);
    expect(names(await credstash.find('leaked', { glob: 'app.*' }))).toEqual(['app.a 1']);
    expect(names(await credstash.find('leaked', { glob: 'db' }))).toEqual(['db 1']);
  });

  it('looks at every version with allVersions', async () => {
    const credstash = await fill();
    const options = { allVersions: true };
    expect(names(await credstash.find('leaked', options))).toEqual(['app.a 1', 'app.d 1', 'db 1']);
    const one = { ...options, glob: 'app.d' };
    expect(names(await credstash.find('leaked', one))).toEqual(['app.d 1']);
  });

  it('marks the secrets that differ in the line break at the end', async () => {
    const credstash = await fill();
    await credstash.put('empty', '\n');
    const mark = async (value: string): Promise<unknown[]> => {
      const { found } = await credstash.find(value, { ignoreFinalNewline: true });
      return found.map(({ name, finalNewline = 'same' }) => `${name} ${finalNewline}`);
    };
    expect(await mark('leaked\n')).toEqual(['app.a missing', 'app.b same', 'db missing']);
    expect(await mark('leaked\r\n')).toEqual(['app.a missing', 'app.b extra', 'db missing']);
    expect(await mark('leaked')).toEqual(['app.a same', 'app.b extra', 'db same']);
    expect(await mark('leaked\n\n')).toEqual(['app.b missing']);
    expect(await mark('\n')).toEqual(['empty same']);
    expect(await mark('')).toEqual([]);
  });

  it('a secret that does not open is an error, or is left out', async () => {
    const credstash = await fill();
    await credstash.put('other', 'leaked', { context: { env: 'prod' } });
    await expect(credstash.find('leaked')).rejects.toMatchObject({
      code: 'WRONG_CONTEXT',
      failures: [{ name: 'other' }],
    });
    const partial = await credstash.find('leaked', { skipUndecryptable: true });
    expect(names(partial)).toEqual(['app.a 1', 'db 1']);
    expect(partial.leftOut).toMatchObject([{ name: 'other' }]);
    const options = { glob: 'other', context: { env: 'prod' } };
    expect(names(await credstash.find('leaked', options))).toEqual(['other 1']);
  });

  it('a missing name is an error, a pattern without matches is not', async () => {
    const credstash = await fill();
    for (const allVersions of [false, true]) {
      await expect(credstash.find('x', { glob: 'none', allVersions })).rejects.toMatchObject({
        code: 'SECRET_NOT_FOUND',
      });
      const none = await credstash.find('x', { glob: 'none*', allVersions });
      expect(none).toEqual({ found: [], leftOut: [], searched: 0 });
    }
  });

  it('opens more entries than it holds at once, and leaves the value of the caller as it is', async () => {
    const credstash = Credstash.inMemory();
    for (let i = 0; i < 70; i++) await credstash.put(`s${i}`, i % 2 === 0 ? 'even' : 'odd');
    const value = Buffer.from('even');
    expect((await credstash.find(value, { allVersions: true })).found).toHaveLength(35);
    expect((await credstash.find(value)).found).toHaveLength(35);
    expect(value.toString()).toBe('even');
  });

  it('finds the fields of a secret that is JSON, as get gives them', async () => {
    const credstash = Credstash.inMemory();
    const document = {
      password: 'leaked',
      url: 'https://u:leaked@host',
      leaked: 'x',
      '/odd~key': 'leaked',
      '': 'leaked',
      db: { users: [{ password: 'leaked' }, 'leaked\n'] },
      unicode: '\u{1f511}\ud800',
    };
    await credstash.put('app', ` \r\n\t${JSON.stringify(document, null, 2)}`);
    await credstash.put('list', '["x", "leaked", 4711, true]');
    await credstash.put('string', '"leaked"');
    await credstash.put('escaped', '{"a": "\\u006ceaked", "a": "x"}');
    await credstash.put('broken', '{"a": "leaked"');
    await credstash.put('deep', `${'['.repeat(5000)}"leaked"${']'.repeat(5000)}`);
    const { found } = await credstash.find('leaked');
    const places = found.map(({ name, field }) => [name, field]);
    expect(places).toEqual([
      ['app', 'password'],
      ['app', '/~1odd~0key'],
      ['app', '/'],
      ['app', '/db/users/0/password'],
      ['deep', '/0'.repeat(5000)],
      ['escaped', 'a'],
      ['list', '/1'],
    ]);
    for (const [name = '', field] of places) {
      // A key that an object has twice is refused.
      if (name === 'escaped') continue;
      expect(await credstash.getText(name, { field })).toBe('leaked');
    }
    const numbers = await credstash.find('4711\n', { ignoreFinalNewline: true });
    expect(numbers.found).toMatchObject([{ name: 'list', field: '/2', finalNewline: 'missing' }]);
    const lines = await credstash.find('leaked\n');
    expect(lines.found).toMatchObject([{ name: 'app', field: '/db/users/1' }]);
    const whole = await credstash.find('["x", "leaked", 4711, true]');
    expect(whole.found.map(({ name, field }) => [name, field])).toEqual([['list', undefined]]);
  });

  it('counts once: entries that are read, and then of the newest those that are opened', async () => {
    const credstash = Credstash.inMemory();
    for (let i = 0; i < 70; i++) await credstash.put(`s${i % 35}`, 'x', { autoversion: true });
    const count = async (options: FindOptions): Promise<string[]> => {
      const counted: string[] = [];
      const progress = (done: number, total: number | undefined): void => {
        counted.push(total === undefined ? `${done}` : `${done}/${total}`);
      };
      await credstash.find('x', { ...options, progress });
      return counted;
    };
    const upTo = (last: number, total = ''): string[] =>
      Array.from({ length: last + 1 }, (_, i) => `${i}${total}`);
    expect(await count({})).toEqual([...upTo(70), ...upTo(35, '/35')]);
    expect(await count({ allVersions: true })).toEqual(upTo(70));
    expect(await count({ allVersions: true, glob: 's1' })).toEqual(upTo(2, '/2'));
  });
});
