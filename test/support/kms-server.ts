import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { startHttpServer } from './http-server.ts';
import { act, type Body } from './kms-actions.ts';
import { commit, type Fault, FaultPlan } from './kms-faults.ts';
import { KeyRing, KmsError, type MasterKey } from './kms-keys.ts';
import { type CredentialLookup, testCredential, verifySignature } from './sigv4.ts';

export type { Fault } from './kms-faults.ts';

/** A request as it was received, refused ones and those a fault met included. */
export interface KmsRequest {
  /** `GenerateDataKey`, `Decrypt`, `ReEncrypt`, `DescribeKey`, or what else was asked. */
  readonly action: string;
  readonly body: Body;
  readonly at: Date;
  /** The region it was signed for; undefined when the signature does not hold. */
  readonly region: string | undefined;
  /** The access key that signed it; undefined when the signature does not hold. */
  readonly accessKeyId: string | undefined;
}

/** A key service that the real client of the AWS SDK can use, and a test can disturb. */
export interface KmsServer {
  readonly url: string;
  readonly requests: KmsRequest[];
  /**
   * Creates a key and points the alias at it (`alias/credstash` exists from the start); returns the
   * ARN of the key. An alias that is taken moves to the new key; the old one still works by its id.
   */
  readonly addKey: (alias: string) => string;
  /** Creates a key of another account, which this caller may use all the same; returns its ARN. */
  readonly addStrangersKey: () => string;
  /** Creates a multi-Region key without an alias. */
  readonly addMultiRegionKey: () => MasterKey;
  /** Creates the replica here of another region's multi-Region key; returns its ARN. */
  readonly replicate: (primary: MasterKey) => string;
  /** Points an alias at a key, named by id or ARN, whatever had it before. */
  readonly nameKey: (alias: string, keyId: string) => void;
  /** Every key there is, in the order in which they were made, to look at or to change. */
  readonly keys: () => MasterKey[];
  readonly aliasesOf: (id: string) => string[];
  /** The key that a wrapped data key of this server says it is under. */
  readonly keyOf: (wrapped: Uint8Array) => MasterKey | undefined;
  /** Takes an alias away; its key stays. */
  readonly removeAlias: (alias: string) => void;
  /** Disables a key, named by alias, id or ARN. */
  readonly disableKey: (keyId: string) => void;
  /** Turns on the yearly rotation of a key, named as above. */
  readonly rotateKey: (keyId: string) => void;
  /** Registers a wrapped data key that was made elsewhere, as if `alias/credstash` had made it. */
  readonly importDataKey: (
    wrapped: Uint8Array,
    context: Record<string, string>,
    plaintext: Uint8Array,
  ) => void;
  /** Puts a fault in front of the next `times` requests (default: all until clear()). */
  readonly fault: (fault: Fault, options?: { times?: number; action?: string }) => void;
  /** Removes all faults. */
  readonly clear: () => void;
  /** Hands out data keys of this many bytes, whatever was asked for; undefined ends it. */
  readonly falsifyKeyLength: (bytes: number | undefined) => void;
  /** Ends the server and every connection to it, hanging ones too. */
  readonly close: () => Promise<void>;
}

export interface KmsServerOptions {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  /** Finds credentials besides the one above, such as `sts.credentials`. */
  readonly credentials?: CredentialLookup;
  /** The region in the ARNs of keys; requests signed for any region are served. */
  readonly region?: string;
}

function resize(plaintext: Buffer, bytes: number | undefined): Buffer {
  if (bytes === undefined) return plaintext;
  return Buffer.concat([plaintext, Buffer.alloc(bytes)], bytes);
}

/** What was sent, as an object; undefined when it is not JSON. */
function parse(body: Buffer): Body | undefined {
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null ? (value as Body) : undefined;
  } catch {
    return undefined; // the server answers SerializationException, as KMS does
  }
}

function answer(response: ServerResponse, status: number, body: Body): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.1',
    'content-length': bytes.length,
  });
  response.end(bytes);
}

function answerError(response: ServerResponse, error: KmsError): void {
  const message = error.message === '' ? {} : { message: error.message };
  answer(response, error.status, { __type: error.code, ...message });
}

/** Starts a KMS on 127.0.0.1. */
export async function startKmsServer(options: KmsServerOptions = {}): Promise<KmsServer> {
  const own = { ...testCredential, ...options };
  const lookup: CredentialLookup = (accessKeyId) =>
    accessKeyId === own.accessKeyId ? own : options.credentials?.(accessKeyId);
  const keys = new KeyRing(options.region ?? 'us-east-1');
  const defaultKey = keys.add('alias/credstash');
  const faults = new FaultPlan();
  const requests: KmsRequest[] = [];
  let falseLength: number | undefined;

  const serve = (request: IncomingMessage, response: ServerResponse, bytes: Buffer): void => {
    const { method = '', url: target = '/', headers } = request;
    const action = String(headers['x-amz-target']).replace(/^TrentService\./, '');
    const body = parse(bytes);
    const signer = verifySignature({ method, target, headers, body: bytes }, 'kms', lookup);
    const { region, accessKeyId } = signer.ok ? signer : {};
    requests.push({ action, body: body ?? {}, at: new Date(), region, accessKeyId });

    response.setHeader('X-Amzn-RequestId', randomUUID());
    const fault = faults.next(action);
    if (fault) {
      commit(fault, action, defaultKey.arn, response);
      return;
    }
    if (!signer.ok) throw new KmsError(signer.code, signer.message, signer.status);
    if (!body) throw new KmsError('SerializationException', '');
    answer(
      response,
      200,
      act(action, keys, body, (plaintext) => resize(plaintext, falseLength)),
    );
  };

  const server = await startHttpServer((request, response, bytes) => {
    try {
      serve(request, response, bytes);
    } catch (error) {
      if (!(error instanceof KmsError)) throw error;
      answerError(response, error);
    }
  });

  return {
    url: server.url,
    requests,
    addKey: (alias) => keys.add(alias).arn,
    addStrangersKey: () => keys.create(false, '999999999999').arn,
    addMultiRegionKey: () => keys.create(true),
    replicate: (primary) => keys.replicate(primary).arn,
    nameKey: (alias, keyId) => {
      keys.unname(alias);
      keys.name(alias, keys.find(keyId));
    },
    keys: () => keys.all(),
    aliasesOf: (id) => keys.aliasesOf(id),
    keyOf: (wrapped) => keys.keyOf(wrapped),
    removeAlias: (alias) => {
      keys.unname(alias);
    },
    disableKey: (keyId) => {
      keys.find(keyId).enabled = false;
    },
    rotateKey: (keyId) => {
      keys.find(keyId).rotates = true;
    },
    importDataKey: (wrapped, context, plaintext) => {
      keys.import(defaultKey, wrapped, context, plaintext);
    },
    fault: (fault, { times, action } = {}) => {
      faults.add(fault, times, action);
    },
    clear: () => {
      faults.clear();
    },
    falsifyKeyLength: (bytes) => {
      falseLength = bytes;
    },
    close: () => server.close(),
  };
}
