/** The two formats: ours, and the original's (an item with no `cipher` attribute). */
export type Cipher = 'AES-256-GCM' | 'AES-256-CTR';

/** Every format. */
export const CIPHERS: readonly Cipher[] = ['AES-256-GCM', 'AES-256-CTR'];

/** A secret's name and its bytes. */
export interface Secret {
  readonly name: string;
  readonly value: Uint8Array;
}

/** Zeroes the bytes of secrets. */
export function wipeSecrets(secrets: Iterable<Secret>): void {
  for (const { value } of secrets) value.fill(0);
}

/** The part of an entry that a listing shows. It is not verified: only opening the entry verifies it. */
export interface EntryHeader {
  readonly name: string;
  /** As in the table, padded. */
  readonly version: string;
  /** `AES-256-CTR` for an original entry; any text if the table was tampered with. */
  readonly cipher: string;
  /** Original entries from before 2016 have none, which means SHA256. */
  readonly digest?: string;
  /** RFC 3339, UTC, seconds; original entries have none. */
  readonly created?: string;
  readonly comment?: string;
  /** The labels of this version, sorted; undefined if it has none. */
  readonly labels?: readonly string[];
}

/** One stored version of one secret, sealed. */
export interface Entry extends EntryHeader {
  readonly cipher: Cipher;
  /** The data key as the key service wrapped it (KMS CiphertextBlob). */
  readonly key: Uint8Array;
  /** Current format: nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes). Original: the ciphertext. */
  readonly contents: Uint8Array;
  /** The raw HMAC, 16 to 64 bytes by digest. */
  readonly hmac: Uint8Array;
  /** Original entries of Python 2 and of other ports store the HMAC as text. Kept, so that encoding restores it. */
  readonly hmacAsText?: true;
  /**
   * The item of an original entry, if its writer encoded it differently from `encodeItem` (base64 in lines, hex in upper
   * case). A replacement compares the table's attributes with these.
   */
  readonly stored?: AnyItem;
}

/**
 * node:crypto's name of each digest that an original entry can name, by the name in lower case without `-` and `/`. The
 * original writes `SHA`, `SHA224` to `SHA512` and `MD5`; nodecredstash 2 hands any name to OpenSSL, in lower case.
 */
const DIGESTS: Readonly<Record<string, string>> = Object.assign(
  Object.create(null) as Record<string, string>,
  {
    sha: 'sha1',
    sha1: 'sha1',
    sha224: 'sha224',
    sha256: 'sha256',
    sha384: 'sha384',
    sha512: 'sha512',
    sha512224: 'sha512-224',
    sha512256: 'sha512-256',
    sha3224: 'sha3-224',
    sha3256: 'sha3-256',
    sha3384: 'sha3-384',
    sha3512: 'sha3-512',
    md5: 'md5',
    ripemd: 'ripemd160',
    ripemd160: 'ripemd160',
    rmd160: 'ripemd160',
    blake2b512: 'blake2b512',
    blake2s256: 'blake2s256',
    sm3: 'sm3',
  },
);

/**
 * Finds node:crypto's name of a digest; undefined for an unknown digest. OpenSSL's synonyms count: `sha256`, `SHA-256`,
 * `SHA2-256` and `RSA-SHA256` are one digest.
 */
export function findDigestAlgorithm(digest: string): string | undefined {
  const name = digest
    .toLowerCase()
    .replace(/^rsa-/, '')
    .replace(/^sha2-(?=\d{3}$)/, 'sha')
    .replace(/[-/]/g, '');
  return DIGESTS[name];
}

/** The digests that are written. SHA, SHA224 and MD5 are only read, in original entries. */
export const WRITTEN_DIGESTS = ['SHA256', 'SHA384', 'SHA512'] as const;

/** Groups headers by name, in their order. */
export function groupByName(headers: readonly EntryHeader[]): Map<string, EntryHeader[]> {
  const names = new Map<string, EntryHeader[]>();
  for (const header of headers) {
    const known = names.get(header.name);
    if (known) known.push(header);
    else names.set(header.name, [header]);
  }
  return names;
}

/** The current time, as an entry stores it. */
export function formatNow(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, 'Z');
}

/** Chooses the digest for an entry that is sealed again: its own if that may be written, otherwise SHA256. */
export function chooseDigest(digest: string | undefined): string {
  return WRITTEN_DIGESTS.find((known) => known === digest) ?? 'SHA256';
}

/** An unchecked item of a table. */
export type AnyItem = Readonly<Record<string, unknown>>;
