import { CredstashError, type ErrorCode, ServiceAnswer, ServiceCause } from '../../errors.ts';
import { findFailedHost } from './failed-host.ts';
import { AnswerError } from './guard-requests.ts';
import { PROXY_HINT, isProxySet, canUseProxy } from './proxy.ts';

// Over 250 lines: every failure of a service is translated here, so that no text of a service gets into a message unchecked.

/** The target of a request, for messages. */
export interface Where {
  /** `DynamoDB`, `KMS`, or a service that gives credentials, such as `STS`. */
  readonly service: string;
  /** The IAM action, as a policy names it. */
  readonly action?: string;
  /** The subject of the request: `the table X`. */
  readonly resource?: string;
  readonly region?: string;
  /** The profile that should have given credentials. */
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
  // AssumeRoleWithWebIdentity: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
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
  // Another transaction concerns the same item. It ends in a moment.
  'TransactionConflictException',
  'TransactionInProgressException',
];

export const CREDENTIALS_HINT =
  'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with `profile`, or log in (aws sso login); with no AWS account at all, use the local vault: `Credstash.local()`';

const HINTS: Partial<Record<ErrorCode, string>> = {
  NO_CREDENTIALS: CREDENTIALS_HINT,
  CREDENTIALS_REFUSED: 'renew the credentials; the system clock must be right too',
  THROTTLED: 'try again later, or set `throttlingTimeoutMs` to try longer',
  UNREACHABLE: 'check the network, the region and AWS_ENDPOINT_URL',
};

/**
 * Translates an error of the SDK into the project's, by its class or code.
 *
 * Keeps only names, numbers, and the checked words of a denial. The SDK's error holds the whole answer, its texts can quote
 * the request, and a parser's error quotes the answer, which may contain a data key.
 */
export function translate(error: unknown, where: Where): CredstashError {
  if (error instanceof CredstashError) return error;
  const { name, code, status, requestId, attempts, message } = readFacts(error);
  const place = describePlace(where);
  const host = findFailedHost(error);
  const summary = `${where.action ?? where.service}: ${[name, code, status && `HTTP ${status}`].filter(Boolean).join(', ')}`;
  const Cause = status === undefined ? ServiceCause : ServiceAnswer;
  const cause = new Cause(summary, { name, code, httpStatus: status, requestId, attempts });
  const createError = (as: ErrorCode, text: string): CredstashError =>
    new CredstashError(as, text, { cause, hint: findHint(as) });

  if (error instanceof AnswerError) return wrongAnswer(error.message, where, cause);
  if (NO_CREDENTIALS.includes(name)) {
    const suffix = where.profile === undefined ? '' : ` for the profile ${where.profile}`;
    return createError('NO_CREDENTIALS', `no AWS credentials were found${suffix}`);
  }
  if (EXPIRED.includes(name)) {
    return createError(
      'CREDENTIALS_REFUSED',
      `${where.service} refused the AWS credentials: they have expired`,
    );
  }
  if (REFUSED.includes(name)) {
    return createError(
      'CREDENTIALS_REFUSED',
      `${where.service} refused the AWS credentials (${name})`,
    );
  }
  if (DENIED.includes(name)) {
    const denied = `access denied: ${where.action ?? where.service} on ${place}`;
    return new CredstashError('ACCESS_DENIED', denied, {
      cause,
      hint: findHint('ACCESS_DENIED'),
      serviceMessage: message === '' ? undefined : redactDenial(message),
    });
  }
  if (isThrottling(error)) {
    return createError(
      'THROTTLED',
      `${where.service} throttled the request on ${place} (${name}), after retries`,
    );
  }
  // An error with a success status comes from reading the answer: it is cut off, or nested too deep.
  if (error instanceof SyntaxError || (status !== undefined && status < 300)) {
    return unreadableAnswer(where, cause);
  }
  if (status !== undefined && status >= 500) {
    return createError(
      'UNREACHABLE',
      `${where.service} failed on ${place} (${[name, `HTTP ${status}`, host].filter(Boolean).join(', ')}), after retries`,
    );
  }
  if (code === 'ERR_INVALID_CHAR') {
    return createError(
      'CREDENTIALS_REFUSED',
      'the AWS credentials have a character in them that no request can carry, such as a line break',
    );
  }
  if (where.service === 'STS' && isFileError(error)) {
    return new CredstashError(
      'NO_CREDENTIALS',
      `no AWS credentials were found: a file that is named for them cannot be read (${code ?? name})`,
      { cause, hint: 'see AWS_WEB_IDENTITY_TOKEN_FILE, and the files in ~/.aws' },
    );
  }
  if (code !== undefined || name.startsWith('IDPCommunicationError') || name === 'TimeoutError') {
    const why = [code ?? name, host].filter(Boolean).join(', ');
    const message = `${where.service} cannot be reached, for ${place} (${why}), after retries`;
    const refused = findCertificateHint(code, host ?? where.service);
    if (refused === undefined) return createError('UNREACHABLE', message);
    return new CredstashError('UNREACHABLE', message, { cause, hint: refused, retryable: false });
  }
  if (isSettingsError(error, where)) {
    return new CredstashError(
      'USAGE',
      `no request to ${where.service} can be made for ${place}: a setting of AWS is not as it must be (${name})`,
      { cause, hint: 'see the variables that begin with AWS_, and the files in ~/.aws' },
    );
  }
  return createError(
    'UNEXPECTED',
    `${where.service} refused the request on ${place} (${[name, status && `HTTP ${status}`].filter(Boolean).join(', ')})`,
  );
}

/** The error of an answer that is invalid for the service. */
export function unreadableAnswer(where: Where, cause?: Error): CredstashError {
  return wrongAnswer('sent an answer that cannot be read', where, cause);
}

/**
 * Makes the error of an answer that the real service would not send.
 *
 * @param what continues a sentence that begins with the service's name: `sent the same page again`
 */
export function wrongAnswer(what: string, where: Where, cause?: Error): CredstashError {
  return new CredstashError(
    'UNREACHABLE',
    `${where.service} ${what}, for ${describePlace(where)}`,
    {
      hint: findHint('UNREACHABLE'),
      cause,
    },
  );
}

function describePlace({ resource, region, service }: Where): string {
  return `${resource ? `${resource} in ` : ''}${region ?? service}`;
}

function findHint(code: ErrorCode): string | undefined {
  return code === 'UNREACHABLE' && ignoresProxy() ? PROXY_HINT : HINTS[code];
}

/** Whether the environment names a proxy that this Node.js cannot use. */
function ignoresProxy(): boolean {
  return isProxySet() && !canUseProxy();
}

/** Codes of a certificate chain without a trusted end (Node.js, `X509 certificate error codes`). */
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

/** Finds the hint for a refused certificate; undefined for every other code of a failed connection. */
export function findCertificateHint(code: string | undefined, host: string): string | undefined {
  const hint = describeCertificateFailure(code, host);
  return hint !== undefined && ignoresProxy() ? `${hint}; ${PROXY_HINT}` : hint;
}

function describeCertificateFailure(code: string | undefined, host: string): string | undefined {
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

/** Whether the system refused to open or read a file. During a request for credentials, it is the token of a web identity. */
function isFileError(error: unknown): boolean {
  const { syscall } = Object(error) as { syscall?: unknown };
  return syscall === 'open' || syscall === 'read';
}

/** Whether an error says that existing credentials, or the caller, were refused. */
export function isRefusal(error: unknown): boolean {
  return [...REFUSED, ...EXPIRED, ...DENIED].includes(readErrorName(error));
}

/** Whether an error says that there are too many requests. */
export function isThrottling(error: unknown): boolean {
  const { name, status } = readFacts(error);
  return THROTTLED.includes(name) || status === 429;
}

/** Reads the name of an SDK error, on which callers branch. Empty if `error` is not an Error. */
export function readErrorName(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/**
 * Whether the SDK refused a setting: it throws such errors before it sends a request, and their classes differ from those of
 * bugs in our code. A TypeError counts only for credentials, where the SDK throws it for a missing sso_session.
 */
function isSettingsError(error: unknown, { service }: Where): boolean {
  const names = ['Error', 'EndpointError', ...(service === 'STS' ? ['TypeError'] : [])];
  return names.includes(readErrorName(error)) && !('$metadata' in Object(error));
}

/** A word, an IAM action or an ARN. */
const DENIAL_WORD =
  /^["'(]*(?:[A-Za-z'-]{1,40}|[a-z0-9-]+:[A-Za-z*]{1,60}|arn:[!#-&*-~]+)["')]*[.,:;]*$/;

/** Keeps the words of a denial that say who lacks which permission. Everything else may be quoted data, and is left out. */
function redactDenial(message: string): string {
  return message
    .split(/\s+/)
    .map((word) => (DENIAL_WORD.test(word) ? word : '…'))
    .join(' ');
}

function readFacts(error: unknown): {
  name: string;
  code: string | undefined;
  status: number | undefined;
  requestId: string | undefined;
  attempts: number | undefined;
  message: string;
} {
  const { code, $metadata, message } = Object(error) as {
    code?: unknown;
    $metadata?: { httpStatusCode?: unknown; requestId?: unknown; attempts?: unknown };
    message?: unknown;
  };
  const {
    httpStatusCode: status,
    requestId,
    attempts,
  } = Object($metadata) as NonNullable<typeof $metadata>;
  return {
    // The name comes from the answer. Error names have only letters, so any other text is not repeated.
    name: /^[A-Za-z]{1,60}$/.test(readErrorName(error)) ? readErrorName(error) : 'Error',
    // A code of the system or of TLS: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED.
    code: typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code) ? code : undefined,
    status: typeof status === 'number' ? status : undefined,
    // The id comes from the answer too.
    requestId:
      typeof requestId === 'string' && /^[A-Za-z0-9-]{1,80}$/.test(requestId)
        ? requestId
        : undefined,
    attempts: typeof attempts === 'number' ? attempts : undefined,
    message: typeof message === 'string' && message !== 'UnknownError' ? message : '',
  };
}
