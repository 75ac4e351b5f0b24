/** Encodes `text` as UTF-8. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Decodes UTF-8; bytes that are not UTF-8 become U+FFFD. */
export function text(value: Uint8Array): string {
  return Buffer.from(value).toString();
}
