import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { checkContext } from '../../src/model/context.ts';
import { bytes, text } from '../support/bytes.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';
import { v } from '../support/version.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

describe('get', () => {
  it('finds a version padded and not padded [rule 5]', async () => {
    await credstash.put('n', bytes('three'), { version: '3' });
    expect(text(await credstash.get('n', { version: '3' }))).toBe('three');
    expect(text(await credstash.get('n', { version: v(3) }))).toBe('three');
    const entry = await backend.take('n', v(3));
    // As a table of before 2015 has it; the original format does not bind the version.
    await credstash.put('old', bytes('four'), { cipher: 'AES-256-CTR', version: '4' });
    const old = await backend.take('old', v(4));
    await backend.memory.entries.create({ ...old, version: '4' });
    expect(text(await credstash.get('old', { version: '4' }))).toBe('four');
    // The current one does.
    await backend.memory.entries.create({ ...entry, version: '3' });
    await expect(credstash.get('n', { version: '3' })).rejects.toMatchObject({ code: 'INTEGRITY' });
  });

  it('tells an absent secret from an absent version', async () => {
    await expect(credstash.get('n')).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
      exitStatus: 3,
    });
    await expect(credstash.get('n', { version: '2' })).rejects.toMatchObject({
      code: 'SECRET_NOT_FOUND',
    });
    await credstash.put('n', bytes('s'));
    await expect(credstash.get('n', { version: '2' })).rejects.toMatchObject({
      code: 'VERSION_NOT_FOUND',
      exitStatus: 3,
    });
  });

  it('refuses bad input before any request', async () => {
    await expect(credstash.get('')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(credstash.get('n', { version: '' })).rejects.toMatchObject({ code: 'USAGE' });
    const context = checkContext([['k', 'v'.repeat(8191)]]);
    await expect(credstash.get('n', { context })).rejects.toMatchObject({ code: 'USAGE' });
    expect(backend.calls).toEqual([]);
  });

  it('names the entry that does not open', async () => {
    await credstash.put('n', bytes('s'));
    const get = credstash.get('n', { context: checkContext([['env', 'prod']]) });
    await expect(get).rejects.toMatchObject({ code: 'WRONG_CONTEXT', exitStatus: 6 });
    await expect(get).rejects.toThrow(`version ${v(1)} of n: `);
  });
});

describe('getText', () => {
  it('is the text as it was stored: nothing is trimmed, and a byte order mark stays', async () => {
    for (const value of ['', '\ufeff grüße 🔑\r\n', '\0']) {
      await credstash.put('n', bytes(value), { autoversion: true });
      expect(await credstash.getText('n')).toBe(value);
    }
    expect(await credstash.getText('n', { version: '1' })).toBe('');
  });

  it.each([[[0xff]], [[0x41, 0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xe2, 0x82]]])(
    'the bytes %j are no text, and no part of the error',
    async (value) => {
      await credstash.put('n', Uint8Array.from(value));
      const error = await credstash.getText('n').catch((error: unknown) => error);
      expect(error).toMatchObject({
        code: 'USAGE',
        message: 'the secret n is not UTF-8 text',
      });
      expect(error).not.toHaveProperty('cause');
    },
  );
});
