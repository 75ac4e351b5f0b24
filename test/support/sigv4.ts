import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** What the server knows about an access key; a temporary one comes with a session token. */
export interface Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Finds the credential that an access key id names. */
export type CredentialLookup = (accessKeyId: string) => Credential | undefined;

/** The long-term credential every test server accepts unless told otherwise. */
export const testCredential: Credential = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'secret-access-key-for-tests',
};

/** The parts of an HTTP request that a signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query, as they stand in the request line. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

/** Who signed a request, and for which region; or the error AWS answers instead. */
export type Verdict =
  | { readonly ok: true; readonly accessKeyId: string; readonly region: string }
  | {
      readonly ok: false;
      readonly status: number;
      readonly code: string;
      readonly message: string;
    };

const algorithm = 'AWS4-HMAC-SHA256';

function refuse(status: number, code: string, message: string): Verdict {
  return { ok: false, status, code, message };
}

function hash(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Uint8Array, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}

function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** RFC 3986: what encodeURIComponent leaves alone and AWS does not. */
function uriEncode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function canonicalRequest(request: SignedRequest, signedHeaders: readonly string[]): string {
  const url = new URL(request.target, 'http://localhost');
  const query = [...url.searchParams]
    .map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`)
    .sort();
  const headers = signedHeaders.map(
    (name) => `${name}:${(header(request.headers, name) ?? '').trim().replace(/ +/g, ' ')}\n`,
  );
  return [
    request.method,
    url.pathname.split('/').map(uriEncode).join('/'),
    query.join('&'),
    headers.join(''),
    signedHeaders.join(';'),
    hash(request.body),
  ].join('\n');
}

interface Authorization {
  readonly accessKeyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
}

const authorizationPattern =
  /^AWS4-HMAC-SHA256 Credential=([^/, ]+)\/(\d{8})\/([^/, ]+)\/([^/, ]+)\/aws4_request, ?SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})$/;

function parseAuthorization(value: string): Authorization | undefined {
  const [, accessKeyId, date, region, service, signedHeaders, signature] =
    authorizationPattern.exec(value) ?? [];
  if (!accessKeyId || !date || !region || !service || !signedHeaders || !signature)
    return undefined;
  return { accessKeyId, date, region, service, signedHeaders: signedHeaders.split(';'), signature };
}

/** The signature the caller should have made. */
function sign(request: SignedRequest, claim: Authorization, secret: string, time: string): Buffer {
  const scope = [claim.date, claim.region, claim.service, 'aws4_request'];
  const toSign = [
    algorithm,
    time,
    scope.join('/'),
    hash(canonicalRequest(request, claim.signedHeaders)),
  ].join('\n');
  const key = scope.reduce<string | Uint8Array>(hmac, `AWS4${secret}`);
  return hmac(key, toSign);
}

/**
 * Verifies AWS Signature Version 4 by recomputing it, as AWS does. Any region is accepted and
 * reported. The age of a request is not looked at: tests may run under a clock of their own.
 */
export function verifySignature(
  request: SignedRequest,
  service: string,
  lookup: CredentialLookup,
): Verdict {
  const authorization = header(request.headers, 'authorization');
  if (authorization === undefined) {
    return refuse(403, 'IncompleteSignatureException', 'Request is missing Authentication Token');
  }
  const claim = parseAuthorization(authorization);
  const time = header(request.headers, 'x-amz-date');
  if (claim === undefined || time === undefined) {
    return refuse(
      403,
      'IncompleteSignatureException',
      'Authorization header requires Credential, SignedHeaders, Signature and a x-amz-date header.',
    );
  }
  const invalid = (message: string): Verdict => refuse(403, 'InvalidSignatureException', message);
  if (claim.service !== service) {
    return invalid(`Credential should be scoped to correct service: '${service}'.`);
  }
  if (!/^\d{8}T\d{6}Z$/.test(time) || !time.startsWith(claim.date)) {
    return invalid(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date',
    );
  }
  // Nothing that decides what is asked may stand outside the signature.
  const mustBeSigned = Object.keys(request.headers).filter(
    (name) => name === 'host' || name === 'x-amz-target' || name === 'x-amz-date',
  );
  if (!mustBeSigned.every((name) => claim.signedHeaders.includes(name))) {
    return invalid("'Host', 'X-Amz-Date' and 'X-Amz-Target' must be signed headers.");
  }
  const credential = lookup(claim.accessKeyId);
  if (
    credential === undefined ||
    header(request.headers, 'x-amz-security-token') !== credential.sessionToken
  ) {
    return refuse(
      400,
      'UnrecognizedClientException',
      'The security token included in the request is invalid.',
    );
  }
  const expected = sign(request, claim, credential.secretAccessKey, time);
  if (!timingSafeEqual(expected, Buffer.from(claim.signature, 'hex'))) {
    return invalid(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
  }
  return { ok: true, accessKeyId: claim.accessKeyId, region: claim.region };
}
