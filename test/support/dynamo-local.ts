import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
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

/**
 * Starts AWS's own DynamoDB Local on Java, which takes about two seconds.
 *
 * By itself it keeps separate tables for each region and access key; `-sharedDb` makes it one
 * database, as dynalite is, so that helpers and assumed roles see the same table.
 */
export async function startDynamoLocal(): Promise<Dynamo> {
  const missing = dynamoLocalMissing();
  if (missing !== undefined) throw new Error(`cannot start DynamoDB Local: ${missing}`);
  const port = await freePort();
  const args = ['-Djava.library.path=DynamoDBLocal_lib', '-jar', 'DynamoDBLocal.jar'];
  const options = ['-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)];
  const java = spawn('java', [...args, ...options], {
    cwd: folder(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [java.stdout, java.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const kill = (): boolean => java.kill('SIGKILL');
  process.once('exit', kill);

  const url = `http://127.0.0.1:${port}`;
  const close = async (): Promise<void> => {
    process.off('exit', kill);
    if (!isRunning(java)) return;
    kill();
    await once(java, 'exit');
  };
  const deadline = Date.now() + 60_000;
  while (!(await answers(url))) {
    if (isRunning(java) && Date.now() < deadline) {
      await sleep(50);
    } else {
      await close();
      throw new Error(`DynamoDB Local does not answer:\n${output}`);
    }
  }
  return { url, close };
}
