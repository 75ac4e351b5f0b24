import { CredstashError, type ErrorCode, ServiceAnswer } from '../../errors.ts';
import { failedHostOf } from './failed-host.ts';
import { AnswerError } from './guard-requests.ts';
import { PROXY_HINT, proxyIsSet, usesProxy } from './proxy.ts';

// Over 250 lines: every answer of a service becomes an error here, so that no text of a service leaves the room.

/** Where a request went, for the words of an error. */
export interface Where {
  /** `DynamoDB`, `KMS`, or `STS` and the like while credentials are got. */
  readonly service: string;
  /** The IAM action, as a policy names it. */
  readonly action?: string;
  /** What it was done on: `the table X`. */
  readonly resource?: string;
  readonly region?: string;
  /** The profile that credentials were asked of. */
  readonly profile?: string | undefined;
}

const NO_CREDENTIALS = [
  'CredentialsProviderError',
  'TokenProviderError',
  'ProviderError',
  'CredentialsError',
];

const REFUSED = [
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'IncompleteSignatureException',
  'IncompleteSignature',
  'MissingAuthenticationTokenException',
  'MissingAuthenticationToken',
  'NotAuthorizedException',
  // Of AssumeRoleWithWebIdentity: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
  'InvalidIdentityTokenException',
  'IDPRejectedClaimException',
  'RegionDisabledException',
];

const EXPIRED = ['ExpiredTokenException', 'ExpiredToken', 'RequestExpired', 'TokenRefreshRequired'];

const DENIED = ['AccessDeniedException', 'AccessDenied'];

const THROTTLED = [
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'TooManyRequestsException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
  // Somebody's transaction is about the same item, and over in a moment.
  'TransactionConflictException',
  'TransactionInProgressException',
];

export const CREDENTIALS_HINT =
  'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with -p, or log in (aws sso login); with no AWS account at all, use the local vault: credstash --local';

const HINTS: Partial<Record<ErrorCode, string>> = {
  NO_CREDENTIALS: CREDENTIALS_HINT,
  CREDENTIALS_REFUSED: 'renew the credentials; the system clock must be right too',
  THROTTLED: 'try again later, or set AWS_MAX_ATTEMPTS to try longer',
  UNREACHABLE: 'check the network, the region and AWS_ENDPOINT_URL',
};

/**
 * The one translation of what the SDK throws into the project's errors, by its class or code.
 *
 * Of the SDK's error only names, numbers and the words of a denial are kept. It carries the whole answer along, its
 * other texts can quote the request, and a parser's error quotes the answer: it could contain a data key.
 */
export function translate(error: unknown, where: Where): CredstashError {
  if (error instanceof CredstashError) return error;
  const { name, code, status, message } = facts(error);
  const at = placeOf(where);
  const host = failedHostOf(error);
  const said = `${where.action ?? where.service}: ${[name, code, status && `HTTP ${status}`].filter(Boolean).join(', ')}`;
  const cause =
    status === undefined
      ? Object.assign(new Error(said), code === undefined ? {} : { code })
      : new ServiceAnswer(said);
  const make = (as: ErrorCode, text: string): CredstashError =>
    new CredstashError(as, text, { cause, hint: hintOf(as) });

  if (error instanceof AnswerError) return wrongAnswer(error.message, where, cause);
  if (NO_CREDENTIALS.includes(name)) {
    const of = where.profile === undefined ? '' : ` for the profile ${where.profile}`;
    return make('NO_CREDENTIALS', `no AWS credentials were found${of}`);
  }
  if (EXPIRED.includes(name)) {
    return make(
      'CREDENTIALS_REFUSED',
      `${where.service} refused the AWS credentials: they have expired`,
    );
  }
  if (REFUSED.includes(name)) {
    return make('CREDENTIALS_REFUSED', `${where.service} refused the AWS credentials (${name})`);
  }
  if (DENIED.includes(name)) {
    const denied = `access denied: ${where.action ?? where.service} on ${at}`;
    return new CredstashError('ACCESS_DENIED', denied, {
      cause,
      hint: hintOf('ACCESS_DENIED'),
      serviceMessage: message === '' ? undefined : words(message),
    });
  }
  if (isThrottling(error)) {
    return make(
      'THROTTLED',
      `${where.service} throttled the request on ${at} (${name}), after retries`,
    );
  }
  // An error with the status of a success is one of reading the answer: it is cut off, or nested too deep.
  if (error instanceof SyntaxError || (status !== undefined && status < 300)) {
    return unreadable(where, cause);
  }
  if (status !== undefined && status >= 500) {
    return make(
      'UNREACHABLE',
      `${where.service} failed on ${at} (${[name, `HTTP ${status}`, host].filter(Boolean).join(', ')}), after retries`,
    );
  }
  if (code === 'ERR_INVALID_CHAR') {
    return make(
      'CREDENTIALS_REFUSED',
      'the AWS credentials have a character in them that no request can carry, such as a line break',
    );
  }
  if (where.service === 'STS' && isOfFile(error)) {
    return new CredstashError(
      'NO_CREDENTIALS',
      `no AWS credentials were found: a file that is named for them cannot be read (${code ?? name})`,
      { cause, hint: 'see AWS_WEB_IDENTITY_TOKEN_FILE, and the files in ~/.aws' },
    );
  }
  if (code !== undefined || name.startsWith('IDPCommunicationError') || name === 'TimeoutError') {
    const why = [code ?? name, host].filter(Boolean).join(', ');
    const message = `${where.service} cannot be reached, for ${at} (${why}), after retries`;
    const refused = hintOfCertificate(code, host ?? where.service);
    if (refused === undefined) return make('UNREACHABLE', message);
    return new CredstashError('UNREACHABLE', message, { cause, hint: refused });
  }
  if (isOfSettings(error, where)) {
    return new CredstashError(
      'USAGE',
      `no request to ${where.service} can be made for ${at}: a setting of AWS is not as it must be (${name})`,
      { cause, hint: 'see the variables that begin with AWS_, and the files in ~/.aws' },
    );
  }
  return make(
    'UNEXPECTED',
    `${where.service} refused the request on ${at} (${[name, status && `HTTP ${status}`].filter(Boolean).join(', ')})`,
  );
}

/** The error of an answer that does not make sense for the service. */
export function unreadable(where: Where, cause?: Error): CredstashError {
  return wrongAnswer('sent an answer that cannot be read', where, cause);
}

/**
 * Makes the error of an answer that the service itself would not give.
 *
 * @param what continues a sentence that begins with the service's name: `sent the same page again`
 */
export function wrongAnswer(what: string, where: Where, cause?: Error): CredstashError {
  return new CredstashError('UNREACHABLE', `${where.service} ${what}, for ${placeOf(where)}`, {
    hint: hintOf('UNREACHABLE'),
    cause,
  });
}

function placeOf({ resource, region, service }: Where): string {
  return `${resource ? `${resource} in ` : ''}${region ?? service}`;
}

function hintOf(code: ErrorCode): string | undefined {
  return code === 'UNREACHABLE' && ignoresProxy() ? PROXY_HINT : HINTS[code];
}

/** Whether the environment names a proxy that this Node.js cannot use. */
function ignoresProxy(): boolean {
  return proxyIsSet() && !usesProxy();
}

/** Codes of a chain of certificates that does not end at a trusted one (Node.js, `X509 certificate error codes`). */
const UNTRUSTED = [
  'CERT_CHAIN_TOO_LONG',
  'CERT_REJECTED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
];

/** What to do about a host whose certificate was refused; undefined for every other code of a failed connection. */
export function hintOfCertificate(code: string | undefined, host: string): string | undefined {
  const hint = wordsOfCertificate(code, host);
  return hint !== undefined && ignoresProxy() ? `${hint}; ${PROXY_HINT}` : hint;
}

function wordsOfCertificate(code: string | undefined, host: string): string | undefined {
  switch (code) {
    case undefined:
      return undefined;
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${host}, or of its authority, is out of date: renew it there, and check the clock of this machine`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'HOSTNAME_MISMATCH':
      return `the certificate of ${host} is for another host: check AWS_ENDPOINT_URL, or renew the certificate there`;
    case 'CERT_REVOKED':
      return `the certificate of ${host} was revoked: renew it there`;
  }
  if (!UNTRUSTED.includes(code)) return undefined;
  return process.env['AWS_CA_BUNDLE']
    ? `the certificate of ${host} is signed by none of those in AWS_CA_BUNDLE, which replace the built-in ones: add its authority's certificate there`
    : `the certificate of ${host} is not signed by a trusted authority: if it is right, name the file of its authority's certificate with AWS_CA_BUNDLE`;
}

/** Whether the system refused to open or read a file: while credentials are got, the token of a web identity. */
function isOfFile(error: unknown): boolean {
  const { syscall } = Object(error) as { syscall?: unknown };
  return syscall === 'open' || syscall === 'read';
}

/** Whether a service, or one attempt of the SDK, was answered that there are too many requests. */
export function isThrottling(error: unknown): boolean {
  const { name, status } = facts(error);
  return THROTTLED.includes(name) || status === 429;
}

/** The name of an SDK error: what a caller may branch on. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/**
 * What the SDK throws of a setting comes before there is a request, and is of no class that a mistake of ours has. While
 * credentials are got nothing of ours runs, and the SDK trips over a profile whose sso_session is not there.
 */
function isOfSettings(error: unknown, { service }: Where): boolean {
  const names = ['Error', 'EndpointError', ...(service === 'STS' ? ['TypeError'] : [])];
  return names.includes(nameOf(error)) && !('$metadata' in Object(error));
}

/** A word, an action of IAM or an ARN. */
const DENIAL_WORD =
  /^["'(]*(?:[A-Za-z'-]{1,40}|[a-z0-9-]+:[A-Za-z*]{1,60}|arn:[!#-&*-~]+)["')]*[.,:;]*$/;

/** A denial's text, which says who lacks what and why; what else a service may quote there is left out. */
function words(message: string): string {
  return message
    .split(/\s+/)
    .map((word) => (DENIAL_WORD.test(word) ? word : '…'))
    .join(' ');
}

function facts(error: unknown): {
  name: string;
  code: string | undefined;
  status: number | undefined;
  message: string;
} {
  const { code, $metadata, message } = Object(error) as {
    code?: unknown;
    $metadata?: { httpStatusCode?: unknown };
    message?: unknown;
  };
  const status = $metadata?.httpStatusCode;
  return {
    // It is taken from the answer: a text that cannot be an error's name, which has only letters, is not repeated.
    name: /^[A-Za-z]{1,60}$/.test(nameOf(error)) ? nameOf(error) : 'Error',
    // Of the system or of TLS: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED.
    code: typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code) ? code : undefined,
    status: typeof status === 'number' ? status : undefined,
    message: typeof message === 'string' && message !== 'UnknownError' ? message : '',
  };
}
