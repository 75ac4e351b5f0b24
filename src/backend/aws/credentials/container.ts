/**
 * Fetches the credentials of an ECS task or an EKS pod from the endpoint that the container's environment names. The SDK's own
 * provider has no limit of time or size: an agent that accepts a connection and never answers would block it for ever.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { sleep } from '../../../util/sleep.ts';
import { MAX_ANSWER_BYTES, readAnswer } from '../guard-requests.ts';
import { type Identity, isText } from './identity.ts';

const TASK_HOST = 'http://169.254.170.2';
/** The hosts that are allowed without TLS: the agents of ECS and EKS, and this machine. */
const PLAIN_HOSTS =
  /^(?:169\.254\.170\.2|169\.254\.170\.23|\[fd00:ec2::23\]|localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

const ATTEMPTS = 3;
const PAUSE_MS = 1000;
/** The time limit until an answer begins, and again until it ends. */
const MAX_MS = 4000;

/** A failed request for credentials. */
class ContainerAnswer extends Error {
  readonly statusCode: number | undefined;
  readonly code: string | undefined;

  constructor(message: string, options: { readonly statusCode?: number; readonly code?: string }) {
    super(message);
    this.statusCode = options.statusCode;
    this.code = options.code;
  }
}

/**
 * Fetches the credentials. Tries three times, each for up to 4 seconds until the answer begins and 4 more until it ends. An
 * answer with an error below 500 ends it at once.
 *
 * @param place a path on the agent of ECS, or a whole URL
 * @param token sent unchanged in the header Authorization
 * @throws Error with the `statusCode` of an answer; with the `code` of a failed connection, or `TimeoutError`; with neither if
 *   the answer has no credentials
 */
export async function fetchContainerCredentials(
  place: { readonly relative: string } | { readonly full: string },
  token: string | undefined,
): Promise<Identity> {
  const url = new URL('relative' in place ? `${TASK_HOST}${place.relative}` : place.full);
  if (url.protocol !== 'https:' && !PLAIN_HOSTS.test(url.hostname)) {
    throw new ContainerAnswer('the host is not accepted without TLS', {});
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fetchOnce(url, token);
    } catch (error) {
      const { statusCode = 500 } = error as ContainerAnswer;
      if (statusCode < 500 || attempt === ATTEMPTS) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

async function fetchOnce(url: URL, token: string | undefined): Promise<Identity> {
  const answer = await sendRequest(url, token);
  const bytes = await readAnswer(answer, MAX_ANSWER_BYTES, MAX_MS);
  const { statusCode = 0 } = answer;
  if (statusCode !== 200) throw new ContainerAnswer('the answer is a failure', { statusCode });
  try {
    return parseCredentials(Buffer.from(bytes).toString('utf8'));
  } finally {
    bytes.fill(0);
  }
}

function sendRequest(url: URL, token: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const isTls = url.protocol === 'https:';
    const request = (isTls ? requestHttps : requestHttp)(url, {
      ...(isTls ? { rejectUnauthorized: true } : {}),
      headers: token === undefined ? {} : { authorization: token },
      // Without an agent, no connection outlives its answer.
      agent: false,
    });
    const timer = setTimeout(() => {
      request.destroy(new ContainerAnswer('there is no answer', { code: 'TimeoutError' }));
    }, MAX_MS);
    request.on('response', (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end();
  });
}

/** Parses an answer. @throws ContainerAnswer if it is not an object with four texts, of which the last is a time */
function parseCredentials(text: string): Identity {
  const invalidAnswer = new ContainerAnswer('the answer has no credentials', {});
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Without the cause, because a parser's error quotes the text.
    throw invalidAnswer;
  }
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = Object(parsed) as Record<
    string,
    unknown
  >;
  if (!isText(AccessKeyId) || !isText(SecretAccessKey) || !isText(Token) || !isText(Expiration)) {
    throw invalidAnswer;
  }
  const expiration = new Date(Expiration);
  if (Number.isNaN(expiration.getTime())) throw invalidAnswer;
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: Token,
    expiration,
  };
}
