import { type IncomingHttpHeaders, request } from 'node:http';
import { startHttpServer } from './http-server.ts';

/** A request as it passed by. */
export interface Recorded {
  /** `DynamoDB.Query`, `KMS.Decrypt`; `?` for what is neither. */
  readonly action: string;
  /** Of the signature's credential scope. */
  readonly region: string | undefined;
  readonly accessKeyId: string | undefined;
  /** What was sent. */
  readonly sent: string;
  /** What was answered. */
  answer: string;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Answers in the place of the service, or changes what it answered; undefined leaves it as it is. */
export type Meddle = (
  action: string,
  answer: () => Promise<Answer>,
  sent: string,
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

/** Starts a recorder in front of these services; what a test does not name is never reached. */
export async function startRecorder(
  services: { readonly DynamoDB?: string; readonly KMS?: string } = {},
): Promise<Recorder> {
  const requests: Recorded[] = [];
  const server = await startHttpServer(({ headers }, response, body) => {
    const [target = '', operation = ''] = String(headers['x-amz-target']).split('.');
    const service = SERVICES[target];
    const action = service ? `${service}.${operation}` : '?';
    const [, accessKeyId, region] =
      /Credential=([^/]+)\/\d+\/([^/]+)\//.exec(headers.authorization ?? '') ?? [];
    const sent = body.toString();
    const recorded: Recorded = { action, region, accessKeyId, sent, answer: '' };
    requests.push(recorded);
    const url = services[service as keyof typeof services];
    const onward = (): Promise<Answer> =>
      url ? pass(url, headers, body) : Promise.resolve(awsError('UnknownOperationException'));
    void (async () => {
      const answer = (await recorder.meddle?.(action, onward, sent)) ?? (await onward());
      recorded.answer = answer.body;
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(answer.body);
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
