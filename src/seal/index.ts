import { bindName, type Context } from '../context.ts';
import type { Cipher, EntryHeader } from '../entry.ts';
import * as ctrHmac from './ctr-hmac.ts';
import * as gcmHmac from './gcm-hmac.ts';

/** What a format of entries does: bytes in, bytes out, and the context under which its data keys are wrapped. */
export interface Format {
  seal(
    header: EntryHeader,
    dataKey: Uint8Array,
    plaintext: Uint8Array,
  ): { contents: Uint8Array; hmac: Uint8Array };
  open(
    entry: EntryHeader & { contents: Uint8Array; hmac: Uint8Array },
    dataKey: Uint8Array,
  ): Uint8Array;
  /** The encryption context of a data key, from the user's pairs and the secret's name. */
  context(pairs: Context, name: string): Context;
  /** How many bytes of contents a plaintext of `length` bytes becomes. */
  contentsLength(length: number): number;
}

/** The formats by their `cipher`. A new one is a file here and a row in this table. */
export const FORMATS: Readonly<Record<Cipher, Format>> = {
  'AES-256-GCM': {
    ...gcmHmac,
    context: bindName,
    contentsLength: (length) => gcmHmac.NONCE_BYTES + length + gcmHmac.TAG_BYTES,
  },
  // The original sends the user's pairs alone, so its entries can be opened with nothing else.
  'AES-256-CTR': { ...ctrHmac, context: (pairs) => pairs, contentsLength: (length) => length },
};
