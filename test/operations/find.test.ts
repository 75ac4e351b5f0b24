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
});
