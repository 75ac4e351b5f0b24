import { bindName, checkContext, type Context } from '../model/context.ts';
import type { Cipher, EntryHeader } from '../model/entry.ts';

/** Seals and opens the entries of one format. */
export interface Seal {
  readonly seal: (
    header: EntryHeader,
    dataKey: Uint8Array,
    plaintext: Uint8Array,
  ) => Promise<{ contents: Uint8Array; hmac: Uint8Array }>;
  readonly open: (
    entry: EntryHeader & { contents: Uint8Array; hmac: Uint8Array },
    dataKey: Uint8Array,
  ) => Promise<Uint8Array>;
  /** Prepares WebCrypto for the first `seal` or `open`. Returns at once, and never throws. */
  readonly warmUp: () => void;
}

/** A format of entries: its cipher, and the encryption context of its data keys. */
export interface Format {
  /**
   * Loads the cipher and warms WebCrypto up, which takes milliseconds. Call it just before the request for the data key: loading
   * starts once that request is sent, and overlaps with the wait for its answer.
   */
  load(): Promise<Seal>;
  /**
   * Makes the encryption context of a data key from the user's pairs and the secret's name.
   *
   * @throws CredstashError USAGE for pairs that no entry of this format can have
   */
  context(pairs: Context, name: string): Context;
  /** The size of an entry's contents for a plaintext of `length` bytes. */
  contentsLength(length: number): number;
}

/** Loads the cipher once, two turns of the event loop later: a request that starts now connects in the first, and is sent in the second. */
function loadOnceSent(load: () => Promise<Seal>): () => Promise<Seal> {
  let loading: Promise<Seal> | undefined;
  const later = async (): Promise<Seal> => {
    for (const _ of [1, 2]) await new Promise((resolve) => setImmediate(resolve));
    const seal = await load();
    seal.warmUp();
    return seal;
  };
  return () => {
    if (loading) return loading;
    const started = later();
    // Also keeps the rejection handled if the caller fails before it awaits this promise. The next call tries again.
    started.catch(() => {
      loading = undefined;
    });
    return (loading = started);
  };
}

/** The formats by their `cipher`. To add a format, add a file to this folder and a row to this table. */
export const FORMATS: Readonly<Record<Cipher, Format>> = {
  'AES-256-GCM': {
    load: loadOnceSent(() => import('./gcm-hmac.ts')),
    context: (pairs, name) => bindName(checkContext(Object.entries(pairs)), name),
    // Nonce, ciphertext and tag.
    contentsLength: (length) => 12 + length + 16,
  },
  // The original sends only the user's pairs to KMS, so its entries open only with exactly these.
  'AES-256-CTR': {
    load: loadOnceSent(() => import('./ctr-hmac.ts')),
    context: (pairs) => pairs,
    contentsLength: (length) => length,
  },
};
