import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runFollowing } from '../../src/cli/exec/follow.ts';
import { findProgram, toProgram } from '../../src/cli/exec/find-program.ts';
import { fetchRequested, parseExecRequest } from '../../src/cli/exec/request.ts';
import { prepareStart } from '../../src/cli/exec/start.ts';
import { watchStarts } from '../../src/cli/exec/watch.ts';
import { Io } from '../../src/cli/terminal/io.ts';
import { Credstash } from '../../src/credstash.ts';
import { createTable, type Dynamo, startDynalite } from '../support/dynamo.ts';
import { eventually } from '../support/eventually.ts';
import { type KmsServer, startKmsServer } from '../support/kms-server.ts';
import { type Answer, awsError, type Recorder, startRecorder } from '../support/recorder.ts';
import { Random, seed } from '../support/seed.ts';
import { testCredential } from '../support/sigv4.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { size, Tally, timeout } from './campaign.ts';

/*
 * Secrets that are rotated again and again, each time several at once, under a watch whose requests fail. COMMAND writes down what
 * it is started with: it must never have an old secret beside a new one, and must have the newest ones in the end.
 */

const NAMES = ['app.a', 'app.b', 'other'];
const ROTATIONS = size(3, 100);
/** The time between two looks in milliseconds, far below that of a person. Half of it is the wait for the end of a burst. */
const INTERVAL = 1000;
const folder = temporaryFolder();
const tally = new Tally();
const random = new Random(seed);

let dynamo: Dynamo;
let kms: KmsServer;
let proxy: Recorder;
beforeAll(async () => {
  [dynamo, kms] = await Promise.all([startDynalite(), startKmsServer()]);
  proxy = await startRecorder({ DynamoDB: dynamo.url, KMS: kms.url });
  await createTable(dynamo.url, 'rotations');
});
afterAll(async () => {
  await Promise.all([proxy.close(), dynamo.close(), kms.close()]);
  tally.print('rotations');
});

const open = (dynamodb: string, service: string): Credstash =>
  new Credstash({
    region: 'us-east-1',
    table: 'rotations',
    credentials: testCredential,
    clientOptions: { dynamodb: { endpoint: dynamodb }, kms: { endpoint: service } },
  });

/** What strikes a request, often enough that the SDK's retries do not always help. */
async function strike(answer: () => Promise<Answer>): Promise<Answer | undefined> {
  const drawn = random.below(100);
  if (drawn >= 30) return undefined;
  tally.add('requests struck');
  if (drawn < 10) return awsError('InternalServerError', '', 500);
  if (drawn < 15) return awsError('AccessDeniedException');
  if (drawn < 20) return { ...(await answer()), delivery: 'half' };
  return { status: 200, body: '{}', delivery: 'reset' };
}

test(
  'COMMAND never has an old secret beside a new one, and has the newest in the end',
  { timeout },
  async () => {
    const direct = open(dynamo.url, kms.url);
    const watched = open(proxy.url, proxy.url);
    const rotate = async (generation: number): Promise<void> => {
      await Promise.all(
        NAMES.map((name) => direct.put(name, `generation ${generation}`, { autoversion: true })),
      );
      tally.add('rotations');
    };
    await rotate(0);
    const out = join(folder, 'out');
    writeFileSync(out, '');
    const script = `echo "$A,$B,$OTHER" >>${out}; while [ ! -e ${out}.end ]; do sleep 0.05; done; exit 5`;
    const base = { PATH: process.env['PATH'] ?? '' };
    const request = parseExecRequest(['app.*', 'other'], {}, base);
    const sink = (): Writable =>
      new Writable({
        write: (_, __, done) => {
          done();
        },
      });
    const io = new Io({ stdin: Readable.from([]), stdout: sink(), stderr: sink() });
    const stop = new AbortController();
    const report = (): void => {
      tally.add('failures told');
    };
    const starts = watchStarts(
      watched,
      {
        ...{ request, label: undefined, interval: INTERVAL, report, signal: stop.signal },
        fetch: () => fetchRequested(watched, request, {}),
        build: (got) =>
          prepareStart(undefined, got, () => ({
            ...base,
            ...Object.fromEntries(
              got.secrets.map(({ name, value }) => [
                name.replace('app.', '').toUpperCase(),
                Buffer.from(value).toString(),
              ]),
            ),
          })),
      },
      io,
    );
    const status = runFollowing(
      {
        ...{ starts, graceMs: 5000, isQuiet: true, report },
        findProgram: () => toProgram(findProgram('sh', base.PATH), ['sh', '-c', script]),
      },
      io,
    );
    const lines = (): string[] => readFileSync(out, 'utf8').trim().split('\n');
    const newest = (generation: number): string =>
      NAMES.map(() => `generation ${generation}`).join();
    await eventually(() => {
      expect(lines().at(-1)).toBe(newest(0));
    });
    for (let generation = 1; generation <= ROTATIONS; generation += 1) {
      proxy.meddle = (_, answer) => strike(answer);
      await rotate(generation);
      // Some rotations follow each other at once, some come during a look or a get.
      if (random.below(3) === 0) continue;
      await new Promise((resolve) => setTimeout(resolve, INTERVAL + random.below(3 * INTERVAL)));
      proxy.meddle = undefined;
      await eventually(() => {
        expect(lines().at(-1)).toBe(newest(generation));
      });
    }
    proxy.meddle = undefined;
    await eventually(() => {
      expect(lines().at(-1)).toBe(newest(ROTATIONS));
    });
    for (const line of lines()) expect(new Set(line.split(',')).size, line).toBe(1);
    tally.add('starts of COMMAND', lines().length);
    writeFileSync(`${out}.end`, '');
    expect(await status).toBe(5);
    stop.abort();
  },
);
