import { describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';

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

  it('marks the secrets that hold it without its final line break', async () => {
    const credstash = await fill();
    const { found } = await credstash.find('leaked\n', { ignoreFinalNewline: true });
    expect(found.map(({ name, withoutNewline }) => [name, withoutNewline])).toEqual([
      ['app.a', true],
      ['app.b', undefined],
      ['db', true],
    ]);
    const { found: crlf } = await credstash.find('leaked\r\n', { ignoreFinalNewline: true });
    expect(crlf.map(({ name }) => name)).toEqual(['app.a', 'db']);
    expect((await credstash.find('\n', { ignoreFinalNewline: true })).found).toEqual([]);
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
      expect((await credstash.find('x', { glob: 'none*', allVersions })).found).toEqual([]);
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
});
