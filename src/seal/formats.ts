import { bindName, checkContext, type Context } from '../model/context.ts';
import type { Cipher, EntryHeader } from '../model/entry.ts';

/** Bytes in, bytes out. */
export interface Seal {
  readonly seal: (
    header: EntryHeader,
    dataKey: Uint8Array,
    plaintext: Uint8Array,
  ) => { contents: Uint8Array; hmac: Uint8Array };
  readonly open: (
    entry: EntryHeader & { contents: Uint8Array; hmac: Uint8Array },
    dataKey: Uint8Array,
  ) => Uint8Array;
}

/** A format of entries: how it seals, and the context under which its data keys are wrapped. */
export interface Format {
  /**
   * Loaded where there is something to seal or to open: AES makes its tables, which takes milliseconds. That begins when
   * what the caller does next, to ask for the data key, is on its way: the key service answers meanwhile.
   */
  load(): Promise<Seal>;
  /**
   * The encryption context of a data key, from the user's pairs and the secret's name.
   *
   * @throws CredstashError USAGE for pairs that no entry of this format has
   */
  context(pairs: Context, name: string): Context;
  /** How many bytes of contents a plaintext of `length` bytes becomes. */
  contentsLength(length: number): number;
}

/** Loads it once, and not before a request of just now is sent: in one turn of the event loop it connects, in the next it goes. */
function loadOnceSent(load: () => Promise<Seal>): () => Promise<Seal> {
  let loading: Promise<Seal> | undefined;
  const later = async (): Promise<Seal> => {
    for (const _ of [1, 2]) await new Promise((resolve) => setImmediate(resolve));
    return load();
  };
  return () => {
    if (loading) return loading;
    const started = later();
    // Whoever asked may fail before it waits for this. The next one tries again.
    started.catch(() => {
      loading = undefined;
    });
    return (loading = started);
  };
}

/** The formats by their `cipher`. A new one is a file here and a row in this table. */
export const FORMATS: Readonly<Record<Cipher, Format>> = {
  'AES-256-GCM': {
    load: loadOnceSent(() => import('./gcm-hmac.ts')),
    context: (pairs, name) => bindName(checkContext(Object.entries(pairs)), name),
    // The nonce, and the tag.
    contentsLength: (length) => 12 + length + 16,
  },
  // The original sends the user's pairs alone, so its entries can be opened with nothing else.
  'AES-256-CTR': {
    load: loadOnceSent(() => import('./ctr-hmac.ts')),
    context: (pairs) => pairs,
    contentsLength: (length) => length,
  },
};
