import { type IncomingHttpHeaders, request, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { startHttpServer } from './http-server.ts';

/** A request as it passed by. */
export interface Recorded {
  /** `DynamoDB.Query`, `KMS.Decrypt`; `?` for what is neither. */
  readonly action: string;
  /** Of the signature's credential scope. */
  readonly region: string | undefined;
  readonly accessKeyId: string | undefined;
  readonly userAgent: string | undefined;
  /** What was sent. */
  readonly sent: string;
  /** What was answered. */
  answer: string;
}

/**
 * How an answer goes over the wire: whole; half of it, and then the connection breaks; byte by byte, in about a second;
 * not at all, and the connection is reset; not at all, and the connection stays; half of it, and the connection stays.
 */
export type Delivery = 'whole' | 'half' | 'slow' | 'reset' | 'never' | 'stops';

export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Whole unless given. */
  readonly delivery?: Delivery;
  /** What the service says the time is; the time unless given. */
  readonly date?: Date;
}

/** Answers in the place of the service, or changes what it answered; undefined leaves it as it is. */
export type Meddle = (
  action: string,
  answer: () => Promise<Answer>,
  sent: string,
  headers: IncomingHttpHeaders,
) => Promise<Answer | undefined>;

/** What AWS_ENDPOINT_URL may point at: passes every request on to DynamoDB or KMS, and remembers it. */
export interface Recorder {
  readonly url: string;
  readonly requests: Recorded[];
  meddle: Meddle | undefined;
  readonly close: () => Promise<void>;
}

const SERVICES: Readonly<Record<string, string>> = {
  DynamoDB_20120810: 'DynamoDB',
  TrentService: 'KMS',
};

/** The answer of an AWS service of the JSON protocols that fails with this error. */
export function awsError(code: string, message = '', status = 400): Answer {
  return { status, body: JSON.stringify({ __type: code, message }) };
}

function pass(url: string, headers: IncomingHttpHeaders, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // The headers as they are: the signature covers the host.
    const onward = request(url, { method: 'POST', headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
    });
    onward.on('error', reject);
    onward.end(body);
  });
}

async function deliver(response: ServerResponse, answer: Answer): Promise<void> {
  const { status, delivery = 'whole', date } = answer;
  const body = Buffer.from(answer.body);
  if (delivery === 'never') return;
  if (delivery === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  response.writeHead(status, {
    'content-type': 'application/x-amz-json-1.0',
    'content-length': body.length,
    ...(date ? { date: date.toUTCString() } : {}),
  });
  if (delivery === 'half') {
    response.write(body.subarray(0, body.length >> 1), () => response.socket?.destroy());
    return;
  }
  if (delivery === 'stops') {
    response.write(body.subarray(0, body.length >> 1));
    return;
  }
  if (delivery === 'slow') {
    const step = Math.ceil(body.length / 20);
    for (let at = 0; at < body.length; at += step) {
      response.write(body.subarray(at, at + step));
      await sleep(50);
    }
    response.end();
    return;
  }
  response.end(body);
}

/** Where the services are; what a test does not name is never reached. */
export interface Services {
  readonly DynamoDB?: string;
  readonly KMS?: string;
}

/**
 * Starts a recorder in front of these services.
 *
 * @param services for each region that a request is signed for, if it is a function
 */
export async function startRecorder(
  services: Services | ((region: string | undefined) => Services) = {},
): Promise<Recorder> {
  const requests: Recorded[] = [];
  const server = await startHttpServer(({ headers }, response, body) => {
    const [target = '', operation = ''] = String(headers['x-amz-target']).split('.');
    const service = SERVICES[target];
    const action = service ? `${service}.${operation}` : '?';
    const [, accessKeyId, region] =
      /Credential=([^/]+)\/\d+\/([^/]+)\//.exec(headers.authorization ?? '') ?? [];
    const sent = body.toString();
    const userAgent = headers['user-agent'];
    const recorded: Recorded = { action, region, accessKeyId, userAgent, sent, answer: '' };
    requests.push(recorded);
    const there = typeof services === 'function' ? services(region) : services;
    const url = there[service as keyof Services];
    const onward = (): Promise<Answer> =>
      url ? pass(url, headers, body) : Promise.resolve(awsError('UnknownOperationException'));
    void (async () => {
      const answer = (await recorder.meddle?.(action, onward, sent, headers)) ?? (await onward());
      recorded.answer = answer.body;
      await deliver(response, answer);
    })().catch(() => response.destroy()); // as the service broke the connection
  });
  const recorder: Recorder = {
    url: server.url,
    requests,
    meddle: undefined,
    close: () => server.close(),
  };
  return recorder;
}
