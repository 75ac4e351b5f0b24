import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { KeyService } from '../../src/backend/key-service.ts';
import { bindName, checkContext } from '../../src/model/context.ts';

/** What every key service must do. @param open gives the service, on whatever `describe`'s hooks started */
export function describeKeyService(name: string, open: () => KeyService): void {
  const context = checkContext([
    ['env', 'prod'],
    ['ü', 'ö'],
  ]);

  describe(`the key service ${name}`, () => {
    it('makes data keys of 64 bytes, each another one', async () => {
      const made = await Promise.all(Array.from({ length: 5 }, () => open().generate(context)));
      for (const { plaintext } of made) expect(plaintext).toHaveLength(64);
      expect(
        new Set(made.map(({ plaintext }) => Buffer.from(plaintext).toString('hex'))).size,
      ).toBe(5);
    });

    it('unwraps a data key under the context it was made with, whatever the order of the pairs', async () => {
      const { plaintext, wrapped } = await open().generate(context);
      expect(Buffer.from(wrapped).includes(Buffer.from(plaintext))).toBe(false);
      const reordered = checkContext(Object.entries(context).reverse());
      expect(await open().unwrap(wrapped, reordered)).toEqual(new Uint8Array(plaintext));
    });

    it('hands out a copy that the caller may wipe', async () => {
      const { plaintext, wrapped } = await open().generate(context);
      const before = Uint8Array.from(plaintext);
      const first = await open().unwrap(wrapped, context);
      first.fill(0);
      plaintext.fill(0);
      expect(await open().unwrap(wrapped, context)).toEqual(before);
    });

    it('refuses another context: a pair less, a pair more, another value, another name', async () => {
      const { wrapped } = await open().generate(bindName(context, 'mine'));
      const others = [
        context,
        checkContext([]),
        bindName(context, 'yours'),
        bindName(checkContext([...Object.entries(context), ['more', '1']]), 'mine'),
        bindName(
          checkContext([
            ['env', 'dev'],
            ['ü', 'ö'],
          ]),
          'mine',
        ),
      ];
      for (const other of others) {
        await expect(open().unwrap(wrapped, other)).rejects.toMatchObject({
          code: 'WRONG_CONTEXT',
        });
        await expect(open().rewrap(wrapped, other)).rejects.toMatchObject({
          code: 'WRONG_CONTEXT',
        });
      }
    });

    it('tells which keys of the context were given, and never a value', async () => {
      const { wrapped } = await open().generate(checkContext([]));
      const wrong = open().unwrap(wrapped, bindName(checkContext([['tier', 'hush']]), 'n'));
      await expect(wrong).rejects.toThrow(/given has tier$/);
      await expect(wrong).rejects.not.toThrow(/hush/);
      await expect(open().unwrap(wrapped, bindName(checkContext([]), 'n'))).rejects.toThrow(
        /no encryption context was given$/,
      );
    });

    it('refuses a wrapped key that was damaged, cut, or is none [rule 25]', async () => {
      const { wrapped } = await open().generate(context);
      const flipped = Uint8Array.from(wrapped);
      flipped[flipped.length - 1] = (flipped[flipped.length - 1] ?? 0) ^ 1;
      for (const broken of [
        flipped,
        wrapped.subarray(1),
        wrapped.subarray(0, 20),
        Uint8Array.of(1),
      ]) {
        await expect(open().unwrap(broken, context)).rejects.toMatchObject({
          code: 'WRONG_CONTEXT',
        });
      }
    });

    it('rewraps to another wrapping of the same data key', async () => {
      const { plaintext, wrapped } = await open().generate(context);
      const again = await open().rewrap(wrapped, context);
      if (again === undefined) return; // it is under this service's present key already
      expect(Buffer.from(again).equals(wrapped)).toBe(false);
      expect(await open().unwrap(again, context)).toEqual(new Uint8Array(plaintext));
    });

    it('wraps a data key that was made elsewhere', async () => {
      const plaintext = new Uint8Array(randomBytes(64));
      const wrapped = await open().wrap(plaintext, context);
      expect(await open().unwrap(wrapped, context)).toEqual(plaintext);
      await expect(open().unwrap(wrapped, checkContext([['env', 'dev']]))).rejects.toMatchObject({
        code: 'WRONG_CONTEXT',
      });
    });

    it('ends with the reason of a signal that is aborted', async () => {
      const { wrapped } = await open().generate(context);
      const during = open().withSignal(AbortSignal.abort('enough'));
      await expect(during.generate(context)).rejects.toBe('enough');
      await expect(during.unwrap(wrapped, context)).rejects.toBe('enough');
      await expect(during.wrap(new Uint8Array(64), context)).rejects.toBe('enough');
      await expect(during.rewrap(wrapped, context)).rejects.toBe('enough');
    });
  });
}
