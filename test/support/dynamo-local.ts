import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dynamo } from './dynamo.ts';

/** The folder that holds DynamoDBLocal.jar and DynamoDBLocal_lib. */
function folder(): string {
  const named = process.env.CREDSTASH_TEST_DYNAMODB_LOCAL;
  return named ?? resolve(import.meta.dirname, '../../.cache/dynamodb-local');
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why DynamoDB Local cannot be started here; undefined when it can. */
export function dynamoLocalMissing(): string | undefined {
  const jar = join(folder(), 'DynamoDBLocal.jar');
  if (!existsSync(jar)) return `there is no ${jar}`;
  const folders = (process.env.PATH ?? '').split(delimiter);
  if (!folders.some((one) => isExecutable(join(one, 'java'))))
    return 'there is no java on the PATH';
  return undefined;
}

/** Starts to listen on a port. @returns undefined if somebody else does */
async function listen(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
    return server;
  } catch {
    return undefined;
  }
}

/**
 * A port for Java, which cannot be told to take any free one and needs seconds to start. A port that the system names as free
 * may be given to another server meanwhile. These are below those that it gives (from 32,768 on Linux), and of each pair the
 * higher one is held as long as the lower one is in use: no other run of the tests takes that.
 *
 * @returns it, and the server that holds the pair
 */
async function takePort(): Promise<{ port: number; holder: Server }> {
  for (let port = 20_000; port < 30_000; port += 2) {
    const holder = await listen(port + 1);
    const found = holder && (await listen(port));
    if (holder && found) {
      found.close();
      await once(found, 'close');
      return { port, holder: holder.unref() };
    }
    holder?.close();
  }
  throw new Error('no port is free for DynamoDB Local');
}

function isRunning(java: ChildProcess): boolean {
  return java.exitCode === null && java.signalCode === null;
}

async function answers(url: string): Promise<boolean> {
  try {
    await fetch(url);
    return true; // 400, for want of a signature
  } catch {
    return false; // nobody listens yet
  }
}

/** The port of the run's pool (`dynamo-pool.ts`), as an environment variable that the tests' processes inherit. */
export const POOL_PORT = 'CREDSTASH_TEST_DYNAMODB_POOL';

/**
 * A DynamoDB Local without any table, of this caller only until it closes it: one of the run's pool, or its own if no
 * pool runs.
 */
export async function startDynamoLocal(): Promise<Dynamo> {
  const missing = dynamoLocalMissing();
  if (missing !== undefined) throw new Error(`cannot start DynamoDB Local: ${missing}`);
  const port = process.env[POOL_PORT];
  return port === undefined ? launchDynamoLocal() : lease(Number(port));
}

/** Asks the pool for an instance. The pool takes it back when the connection ends, also if this process is killed. */
async function lease(port: number): Promise<Dynamo> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  const url = await new Promise<string>((resolve, reject) => {
    socket.once('data', (line: string) => {
      resolve(line.trim());
    });
    socket.once('error', reject);
    socket.once('end', () => {
      reject(new Error('the pool has no DynamoDB Local: see what it wrote to stderr'));
    });
  });
  // An open lease does not keep a process alive that has nothing else to do.
  socket.unref();
  return {
    url,
    close: async () => {
      if (socket.destroyed) return;
      socket.end();
      await once(socket, 'close');
    },
  };
}

/**
 * Starts AWS's own DynamoDB Local on Java, which takes about two seconds, most of them of a processor.
 *
 * By itself it keeps separate tables for each region and access key; `-sharedDb` makes it one
 * database, as dynalite is, so that helpers and assumed roles see the same table.
 */
export async function launchDynamoLocal(): Promise<Dynamo> {
  const { port, holder } = await takePort();
  // It lives for minutes: the second compiler and the parallel collector would cost more than they win.
  const java = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
  const args = [...java, '-Djava.library.path=DynamoDBLocal_lib', '-jar', 'DynamoDBLocal.jar'];
  const options = ['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)];
  const child = spawn('java', [...args, ...options], {
    cwd: folder(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);

  const url = `http://127.0.0.1:${port}`;
  const close = async (): Promise<void> => {
    process.off('exit', kill);
    if (isRunning(child)) {
      kill();
      await once(child, 'exit');
    }
    holder.close();
  };
  const deadline = Date.now() + 120_000;
  while (!(await answers(url))) {
    if (isRunning(child) && Date.now() < deadline) {
      await sleep(50);
    } else {
      await close();
      throw new Error(`DynamoDB Local does not answer:\n${output}`);
    }
  }
  return { url, close };
}
