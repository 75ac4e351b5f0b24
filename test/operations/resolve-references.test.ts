import { beforeEach, describe, expect, it } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { bytes } from '../support/bytes.ts';
import { RecordedBackend } from '../support/recorded-backend.ts';

let backend: RecordedBackend;
let credstash: Credstash;

beforeEach(() => {
  backend = new RecordedBackend();
  credstash = Credstash.over(backend);
});

describe('resolveReferences', () => {
  it('gives the variables whose whole value is a reference', async () => {
    await credstash.put('db', bytes('secret'), { context: { env: 'prod', team: 'x' } });
    await credstash.put('key', new Uint8Array([0, 255]), { context: { env: 'test', team: 'x' } });
    const resolved = await credstash.resolveReferences(
      {
        DB: 'credstash://db',
        AGAIN: 'credstash://db?version=1&env=prod',
        KEY: 'credstash://key?env=test',
        URL: 'postgres://u:credstash://db@host',
        PATH: '/bin',
        NONE: undefined,
        __proto: 'x',
      },
      { context: { env: 'prod', team: 'x' } },
    );
    expect(
      [...resolved].map(([name, value]) => [name, Buffer.from(value).toString('hex')]),
    ).toEqual([
      ['DB', Buffer.from('secret').toString('hex')],
      ['AGAIN', Buffer.from('secret').toString('hex')],
      ['KEY', '00ff'],
    ]);
  });

  it('names every variable that fails, the malformed ones before any request', async () => {
    const failing = async (variables: Record<string, string>): Promise<unknown> =>
      credstash.resolveReferences(variables).catch((reason: unknown) => reason);
    expect(
      await failing({ A: 'credstash://', B: 'credstash://b', C: 'credstash://c?x' }),
    ).toMatchObject({ code: 'USAGE', failures: [{ name: 'A' }, { name: 'C' }] });
    expect(backend.calls).toEqual([]);
    expect(await failing({ A: 'credstash://a', B: 'b', C: 'credstash://c' })).toMatchObject({
      code: 'SECRET_NOT_FOUND',
      failures: [{ name: 'A' }, { name: 'C' }],
    });
  });
});
