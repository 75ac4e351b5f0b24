import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { createTable, type Dynamo, putManyRaw, scanRaw } from './dynamo.ts';
import { type KmsServer, startKmsServer } from './kms-server.ts';
import { awsError, type Meddle, type Recorder, type Services, startRecorder } from './recorder.ts';
import { type Certificate, CLOSED, listening, portOf } from './tls.ts';

/** The regions of these tests: one that fails, and the one to fall back to. */
export const FIRST = 'eu-west-1';
export const FALLBACK = 'eu-central-1';

/** Two regions with one multi-Region key, whose alias is alias/credstash in both. */
export interface Regions {
  readonly kms: Readonly<Record<string, KmsServer>>;
  /** A table that exists in both regions. */
  readonly createTable: (name: string) => Promise<void>;
  /** Copies all items to the fallback region, as a global table does sooner or later. */
  readonly replicate: (name: string) => Promise<void>;
  /** A way to one region, where faults can be put. */
  readonly connect: (region: string) => Promise<Recorder>;
  /** One endpoint for both regions: the signature of a request says which one it is for. */
  readonly connectBoth: () => Promise<Recorder>;
  readonly close: () => Promise<void>;
}

/** @param startDynamo called for each region */
export async function startRegions(startDynamo: () => Promise<Dynamo>): Promise<Regions> {
  const [first, fallback] = await Promise.all([startDynamo(), startDynamo()]);
  const [firstKms, fallbackKms] = await Promise.all([
    startKmsServer({ region: FIRST }),
    startKmsServer({ region: FALLBACK }),
  ]);
  const key = firstKms.addMultiRegionKey();
  firstKms.nameKey('alias/credstash', key.id);
  fallbackKms.nameKey('alias/credstash', fallbackKms.replicate(key));
  const ways: Recorder[] = [];
  const servicesOf = (region: string | undefined): Services => {
    const [dynamo, kms] = region === FIRST ? [first, firstKms] : [fallback, fallbackKms];
    return { DynamoDB: dynamo.url, KMS: kms.url };
  };
  const connectTo = async (services: Parameters<typeof startRecorder>[0]): Promise<Recorder> => {
    const way = await startRecorder(services);
    ways.push(way);
    return way;
  };
  return {
    kms: { [FIRST]: firstKms, [FALLBACK]: fallbackKms },
    createTable: async (name) => {
      await Promise.all([first, fallback].map(({ url }) => createTable(url, name)));
    },
    replicate: async (name) => {
      await putManyRaw(fallback.url, name, await scanRaw(first.url, name));
    },
    connect: (region) => connectTo(servicesOf(region)),
    connectBoth: () => connectTo(servicesOf),
    close: async () => {
      await Promise.all(
        [...ways, first, fallback, firstKms, fallbackKms].map((each) => each.close()),
      );
    },
  };
}

/** An address that something is wrong with. */
export interface Broken {
  readonly url: string;
  readonly close: () => void;
}

/** Closes a server and its connections. */
function broken(server: Server, protocol: string, sockets: ReadonlySet<Socket>): Broken {
  return {
    url: `${protocol}://127.0.0.1:${portOf(server)}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Nobody listens. */
export function refusing(): Promise<Broken> {
  return Promise.resolve({ url: CLOSED, close: () => undefined });
}

/** Every connection is reset. */
export async function resetting(): Promise<Broken> {
  const server = await listening(
    createServer((socket) => {
      socket.on('error', () => undefined).once('data', () => socket.resetAndDestroy());
    }),
  );
  return broken(server, 'http', new Set());
}

/** Connections open, and nothing ever comes: over TLS, not even a handshake. */
export async function silent(protocol: 'http' | 'https'): Promise<Broken> {
  const sockets = new Set<Socket>();
  const server = await listening(
    createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
      socket.resume();
    }),
  );
  return broken(server, protocol, sockets);
}

/** The TLS handshake is made, and no answer ever comes. */
export async function silentAfterHandshake({ key, cert }: Certificate): Promise<Broken> {
  const sockets = new Set<Socket>();
  const server = await listening(
    createTlsServer({ key, cert }, (socket) => {
      sockets.add(socket.on('error', () => undefined));
      socket.resume();
    }),
  );
  return broken(server, 'https', sockets);
}

/**
 * Connections never open: the queue of the port is full, and its process is stopped, so that the kernel drops whatever else
 * comes.
 */
export async function unopened(): Promise<Broken> {
  const program = `
    const server = require('node:net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
  const child: ChildProcess = spawn(process.execPath, ['-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  const port = Number(line.toString());
  child.kill('SIGSTOP');
  const fillers = new Set<Socket>();
  for (let opened = true; opened;) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    fillers.add(socket);
    // On a busy machine the pause may be over before this process has looked: it looks once more, before the turn ends.
    const late = sleep(300).then(
      () => new Promise<false>((resolve) => setImmediate(resolve, false)),
    );
    opened = await Promise.race([once(socket, 'connect').then(() => true), late]);
  }
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      for (const socket of fillers) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}

/** Every request is answered with this error. */
export function failing(code: string, status: number): Meddle {
  return () => Promise.resolve(awsError(code, '', status));
}

/** Half of each answer comes, and then nothing. */
export const stopping: Meddle = async (_, answer) => ({ ...(await answer()), delivery: 'stops' });
