import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';

/** An encryption context: the order of its pairs does not matter, everything else does. */
export type Context = Readonly<Record<string, string>>;

/** An error as KMS answers it: `{"__type": code, "message": message}` under an HTTP status. */
export class KmsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = 'KmsError';
    this.code = code;
    this.status = status;
  }
}

/** One symmetric key. */
export interface MasterKey {
  readonly id: string;
  readonly arn: string;
  readonly secret: Buffer;
  readonly created: Date;
  readonly multiRegion: boolean;
  /** SYMMETRIC_DEFAULT, or another that DescribeKey tells of. */
  spec: string;
  usage: string;
  /** AWS_KMS, or EXTERNAL for imported material, which KMS does not rotate. */
  origin: string;
  enabled: boolean;
  rotates: boolean;
  /** Whether its deletion is scheduled. */
  doomed: boolean;
}

/** What Decrypt finds in a blob: the plaintext, and the key it was wrapped under. */
export interface Unwrapped {
  readonly key: MasterKey;
  readonly plaintext: Buffer;
}

const account = '123456789012';
const magic = Buffer.from([1, 2, 2, 0]);
const idBytes = 36;
const nonceBytes = 12;
const tagBytes = 16;
const headerBytes = magic.length + idBytes + nonceBytes;

function canonical(context: Context): string {
  const pairs = Object.entries(context);
  return JSON.stringify(pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** The keys of one account and region, and what is wrapped under them. */
export class KeyRing {
  readonly #region: string;
  readonly #arnPrefix: string;
  readonly #keys = new Map<string, MasterKey>();
  readonly #aliases = new Map<string, MasterKey>();
  readonly #imported = new Map<string, { key: MasterKey; context: string; plaintext: Buffer }>();

  constructor(region: string) {
    this.#region = region;
    this.#arnPrefix = `arn:aws:kms:${region}:${account}:`;
  }

  /** Makes a key and points the alias at it; a key the alias named before keeps its id. */
  add(alias: string): MasterKey {
    if (!alias.startsWith('alias/')) throw new Error(`an alias starts with alias/: ${alias}`);
    const key = this.create(false);
    this.#aliases.set(alias, key);
    return key;
  }

  /** Makes a key that has no alias. @param owner the account that it is of */
  create(multiRegion: boolean, owner = account): MasterKey {
    // 36 characters as well.
    const id = multiRegion ? `mrk-${randomBytes(16).toString('hex')}` : randomUUID();
    const key = {
      id,
      arn: `arn:aws:kms:${this.#region}:${owner}:key/${id}`,
      secret: randomBytes(32),
      created: new Date(),
      multiRegion,
      spec: 'SYMMETRIC_DEFAULT',
      usage: 'ENCRYPT_DECRYPT',
      origin: 'AWS_KMS',
      enabled: true,
      rotates: false,
      doomed: false,
    };
    this.#keys.set(id, key);
    return key;
  }

  /** Makes the replica of another region's multi-Region key here: the same id and the same material. */
  replicate(primary: MasterKey): MasterKey {
    const owner = primary.arn.split(':')[4] ?? account;
    const arn = `arn:aws:kms:${this.#region}:${owner}:key/${primary.id}`;
    const key = { ...primary, arn };
    this.#keys.set(key.id, key);
    return key;
  }

  /** Points a new alias at the key. */
  name(alias: string, key: MasterKey): void {
    if (this.#aliases.has(alias)) {
      throw new KmsError(
        'AlreadyExistsException',
        `An alias with the name ${this.#arnPrefix}${alias} already exists`,
      );
    }
    this.#aliases.set(alias, this.#assertKept(key));
  }

  /** Takes an alias away. */
  unname(alias: string): void {
    this.#aliases.delete(alias);
  }

  /** The aliases of a key. */
  aliasesOf(id: string): string[] {
    return [...this.#aliases].filter(([, key]) => key.id === id).map(([alias]) => alias);
  }

  /** The key that a blob says it is wrapped under. */
  keyOf(blob: Uint8Array): MasterKey | undefined {
    return this.#keys.get(
      Buffer.from(blob).toString('latin1', magic.length, magic.length + idBytes),
    );
  }

  /** Every key, in the order in which they were made. */
  all(): MasterKey[] {
    return [...this.#keys.values()];
  }

  /** Finds a key by alias, alias ARN, id or ARN, whether it is enabled or not. One of another account has its ARN alone. */
  find(keyId: string): MasterKey {
    const [scheme, , , region = ''] = keyId.split(':');
    if (scheme === 'arn' && region !== this.#region) {
      throw new KmsError('NotFoundException', `Invalid arn ${region}`);
    }
    const named = this.all().find(({ arn }) => arn === keyId);
    if (named) return named;
    const local = keyId.startsWith(this.#arnPrefix) ? keyId.slice(this.#arnPrefix.length) : keyId;
    if (local.startsWith('alias/')) {
      const key = this.#aliases.get(local);
      if (key) return key;
      throw new KmsError('NotFoundException', `Alias ${this.#arnPrefix}${local} is not found.`);
    }
    const id = local.replace(/^key\//, '');
    const key = this.#keys.get(id);
    if (key) return key;
    if (keyId.startsWith('arn:') || /^[0-9a-f-]{36}$/.test(keyId)) {
      const arn = keyId.startsWith('arn:') ? keyId : `${this.#arnPrefix}key/${id}`;
      throw new KmsError('NotFoundException', `Key '${arn}' does not exist`);
    }
    throw new KmsError('NotFoundException', `Invalid keyId '${keyId}'`);
  }

  /** Finds a key that may be used. */
  usable(keyId: string): MasterKey {
    return this.#assertEnabled(this.find(keyId));
  }

  #assertKept(key: MasterKey): MasterKey {
    if (!key.doomed) return key;
    throw new KmsError('KMSInvalidStateException', `${key.arn} is pending deletion.`);
  }

  #assertEnabled(key: MasterKey): MasterKey {
    this.#assertKept(key);
    if (!key.enabled) throw new KmsError('DisabledException', `${key.arn} is disabled.`);
    return key;
  }

  /** Makes a CiphertextBlob: authentic for this key and this context alone. */
  wrap(key: MasterKey, plaintext: Uint8Array, context: Context): Buffer {
    const nonce = randomBytes(nonceBytes);
    const cipher = createCipheriv('aes-256-gcm', key.secret, nonce);
    cipher.setAAD(Buffer.from(canonical(context)));
    const sealed = [cipher.update(plaintext), cipher.final()];
    return Buffer.concat([magic, Buffer.from(key.id), nonce, ...sealed, cipher.getAuthTag()]);
  }

  /** Registers a blob another key service made; it counts as wrapped under the given key. */
  import(key: MasterKey, blob: Uint8Array, context: Context, plaintext: Uint8Array): void {
    this.#imported.set(Buffer.from(blob).toString('hex'), {
      key,
      context: canonical(context),
      plaintext: Buffer.from(plaintext),
    });
  }

  /** Opens a CiphertextBlob, or refuses as KMS does: it says nothing about why. */
  unwrap(blob: Buffer, context: Context): Unwrapped {
    const refused = new KmsError('InvalidCiphertextException', '');
    const imported = this.#imported.get(blob.toString('hex'));
    if (imported) {
      if (imported.context !== canonical(context)) throw refused;
      return { key: this.#assertEnabled(imported.key), plaintext: imported.plaintext };
    }
    if (blob.length < headerBytes + tagBytes || !blob.subarray(0, magic.length).equals(magic)) {
      throw refused;
    }
    const key = this.keyOf(blob);
    if (!key) {
      throw new KmsError(
        'AccessDeniedException',
        'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
      );
    }
    this.#assertEnabled(key);
    const nonce = blob.subarray(magic.length + idBytes, headerBytes);
    const decipher = createDecipheriv('aes-256-gcm', key.secret, nonce);
    decipher.setAAD(Buffer.from(canonical(context)));
    decipher.setAuthTag(blob.subarray(-tagBytes));
    const opened = decipher.update(blob.subarray(headerBytes, -tagBytes));
    try {
      return { key, plaintext: Buffer.concat([opened, decipher.final()]) };
    } catch {
      // GCM has one way to fail, and KMS one answer to it.
      throw refused;
    }
  }
}
