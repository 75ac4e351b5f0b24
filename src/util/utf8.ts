const encoder = new TextEncoder();

/** Encodes `text` as UTF-8. An unpaired surrogate cannot be encoded: check with `isStorable` first. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes UTF-8 exactly; undefined if the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The hint if a text cannot be JSON because it begins with a byte order mark (RFC 8259, section 8.1). */
export function hintAtMark(text = ''): string | undefined {
  if (!text.startsWith('\uFEFF')) return undefined;
  return 'it begins with a byte order mark, which JSON does not allow: store it again without the mark';
}

/** Length of `text` in UTF-8 bytes, the unit of every limit of DynamoDB and KMS. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

/**
 * Whether every backend stores `text` unchanged: an unpaired surrogate has no UTF-8 form, and the drivers of SQLite end a
 * text at its first NUL.
 */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Length of `text` in characters (code points), as Python counts it and the original pads. */
export function countCharacters(text: string): number {
  return Array.from(text).length;
}

/**
 * Compares by UTF-8 bytes, as DynamoDB orders sort keys, SQLite texts, and the original its list. JavaScript compares by
 * UTF-16 unit, which differs above U+FFFF.
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
