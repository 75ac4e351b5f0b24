import { describe, expect, it } from 'vitest';
import { parseItem, encodeItem } from '../../src/model/item.ts';
import { CredstashError } from '../../src/errors.ts';
import { fromJson, openItem, originals, ports, vectors } from './vectors.ts';

describe('our own vectors', () => {
  it('has positive and negative ones', () => {
    expect(vectors.filter(({ secret }) => secret !== undefined).length).toBeGreaterThan(10);
    expect(vectors.filter(({ error }) => error !== undefined).length).toBeGreaterThan(50);
  });

  it.each(vectors.filter(({ secret }) => secret !== undefined))('opens $title', async (vector) => {
    const secret = await openItem(fromJson(vector.item), Buffer.from(vector.dataKey, 'base64'));
    expect(Buffer.from(secret).toString('base64')).toBe(vector.secret);
  });

  it.each(vectors.filter(({ error }) => error !== undefined))(
    'refuses $title [rule 20] [rule 22]',
    async (vector) => {
      const open = (): Promise<Uint8Array> =>
        openItem(fromJson(vector.item), Buffer.from(vector.dataKey, 'base64'));
      await expect(open()).rejects.toThrow(CredstashError);
      await expect(open()).rejects.toThrow(expect.objectContaining({ code: vector.error }));
    },
  );
});

it.each(ports)('the entry of a port $item.name.S opens to its secret: $note', async (vector) => {
  const dataKey = Buffer.from(vector.dataKey, 'base64');
  expect(Buffer.from(await openItem(fromJson(vector.item), dataKey)).toString('utf8')).toBe(
    vector.secret,
  );
});

describe.each(originals)('the original entry $item.name.S version $item.version.S', (vector) => {
  const dataKey = Buffer.from(vector.dataKey, 'base64');
  const item = fromJson(vector.item);

  it('opens to its secret', async () => {
    expect(Buffer.from(await openItem(item, dataKey)).toString('utf8')).toBe(vector.secret);
  });

  it('opens as Python 2 and the Go ports wrote it, with its hmac as text and no digest where that is SHA256', async () => {
    const hmac = vector.item['hmac']?.['B'] as string;
    const { digest, ...rest } = item;
    const old = {
      ...rest,
      hmac: { S: Buffer.from(hmac, 'base64').toString('latin1') },
      ...(vector.item['digest']?.['S'] === 'SHA256' ? {} : { digest }),
    };
    expect(Buffer.from(await openItem(old, dataKey)).toString('utf8')).toBe(vector.secret);
    expect(encodeItem(parseItem(old))).toEqual(old);
  });

  it('is the same item when it is parsed and encoded again [rule 21]', () => {
    const again = encodeItem(parseItem(item));
    expect(Object.keys(again).sort()).toEqual(Object.keys(item).sort());
    for (const [name, value] of Object.entries(again)) {
      const was = item[name] as { S?: string; B?: Uint8Array };
      expect('S' in value ? value.S : Buffer.from(value.B).toString('hex')).toBe(
        was.S ?? Buffer.from(was.B ?? []).toString('hex'),
      );
    }
  });
});
