import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../src/credstash.ts';
import { bytes } from './support/bytes.ts';
import { RecordedBackend } from './support/recorded-backend.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

describe('Credstash.over', () => {
  it('neither sets up nor closes what is not its own', async () => {
    await expect(credstash.setup()).rejects.toMatchObject({ code: 'USAGE' });
    await expect(credstash.policy('reader')).rejects.toMatchObject({ code: 'USAGE' });
    await credstash.put('a', bytes('x'));
    await credstash.close();
    expect(await credstash.getText('a')).toBe('x');
  });

  it('refuses invalid options at once', () => {
    expect(() => Credstash.over(backend, { maxConcurrency: 0 })).toThrow(
      expect.objectContaining({ code: 'USAGE' }) as Error,
    );
  });
});
