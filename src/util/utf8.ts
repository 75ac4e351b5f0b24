const encoder = new TextEncoder();

/** The UTF-8 bytes of `text`. An unpaired surrogate has none: check with `isStorable` first. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text that has exactly these bytes; undefined when they are no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Length of `text` in UTF-8 bytes, the unit of every limit of DynamoDB and KMS. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/**
 * Whether `text` survives a trip to a table unchanged: an unpaired surrogate has no UTF-8 form, and the
 * embedded store's drivers end a text at its first NUL.
 */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Length of `text` in characters (code points), as Python counts it and the original pads. */
export function countCharacters(text: string): number {
  return Array.from(text).length;
}

/**
 * Orders by UTF-8 bytes, as DynamoDB orders a sort key, SQLite a text and the original its list. JavaScript's
 * own order is by UTF-16 unit and differs above U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(encoder.encode(a), encoder.encode(b));
}

/** u32be(byte length) ‖ UTF-8 bytes, for each of `texts`. */
export function encodeLengthPrefixed(texts: readonly string[]): Uint8Array {
  return Buffer.concat(
    texts.map((text) => {
      const bytes = utf8(text);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return Buffer.concat([length, bytes]);
    }),
  );
}
