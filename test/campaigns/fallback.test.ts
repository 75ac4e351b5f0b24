import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type * as Aws from '../../src/backend/aws/index.ts';
import type { AwsSettings } from '../../src/backend/aws/settings.ts';
import { Credstash } from '../../src/credstash.ts';
import { CredstashError } from '../../src/errors.ts';
import { startDynalite } from '../support/dynamo.ts';
import { awsError, type Delivery, type Meddle, type Recorder } from '../support/recorder.ts';
import {
  type Broken,
  FALLBACK,
  FIRST,
  type Regions,
  refusing,
  resetting,
  silent,
  startRegions,
  unopened,
} from '../support/regions.ts';
import { Random, seed } from '../support/seed.ts';
import { testCredential } from '../support/sigv4.ts';
import { size, Tally, timeout } from './campaign.ts';

/*
 * Reads while the faults of the first region change. Each value says its version, so that a wrong one is seen; the replica
 * lacks the newest versions. What a read gives must be what one region has, and if it is the replica's, the read says so.
 */

const TABLE = 'credential-store';
const NAMES = 10;
const READS = size(70, 10_000);
/** Reads of one instance, which then begins anew in the first region. */
const READS_OF_AN_INSTANCE = 10;

const urls = vi.hoisted(() => new Map<string, string>());
vi.mock('../../src/backend/aws/index.ts', async (load) => {
  const real = await load<typeof Aws>();
  return {
    ...real,
    openAws: (settings: AwsSettings) =>
      real.openAws({ ...settings, endpoint: urls.get(settings.region ?? '') }),
  };
});

let regions: Regions;
let first: Recorder;
let fallback: Recorder;

beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', testCredential.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', testCredential.secretAccessKey);
  await import('../../src/backend/aws/index.ts');
  regions = await startRegions(startDynalite);
  [first, fallback] = [await regions.connect(FIRST), await regions.connect(FALLBACK)];
  urls.set(FIRST, first.url).set(FALLBACK, fallback.url);
  await regions.createTable(TABLE);
  const writer = new Credstash({ region: FIRST });
  const put = (version: string): Promise<unknown> =>
    Promise.all(
      Array.from({ length: NAMES }, (_, i) =>
        writer.put(`name-${i}`, `${version} of name-${i}`, { autoversion: true }),
      ),
    );
  await put('old');
  await regions.replicate(TABLE);
  await put('new');
  await writer.put('late', 'new of late');
  await writer.close();
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await regions.close();
});

const error =
  (code: string, status: number): Meddle =>
  () =>
    Promise.resolve(awsError(code, '', status));
const deliver =
  (delivery: Delivery): Meddle =>
  async (_, answer) => ({ ...(await answer()), delivery });

/** What the first region does: its answers, or another address in its place. */
const FAULTS: Readonly<Record<string, Meddle | (() => Promise<Broken>) | undefined>> = {
  none: undefined,
  'HTTP 500': error('InternalServerError', 500),
  'HTTP 503': error('ServiceUnavailable', 503),
  'half of an answer, then a reset': deliver('half'),
  'throttled for a moment': undefined,
  'refused connections': refusing,
  'reset connections': resetting,
};
/** Those that take three seconds of each instance, at a share of one in 50 instances. */
const SILENT: Readonly<Record<string, Meddle | (() => Promise<Broken>)>> = {
  'no answer': deliver('never'),
  'half of an answer, then silence': deliver('stops'),
  'a connection without a handshake': () => silent('https'),
  'no connection': unopened,
};

const ADDRESSES = new Set<unknown>([
  refusing,
  resetting,
  unopened,
  SILENT['a connection without a handshake'],
]);

/** Lets the first region do so. @returns what ends it */
async function strike(fault: Meddle | (() => Promise<Broken>) | undefined): Promise<() => void> {
  if (!ADDRESSES.has(fault)) {
    first.meddle = fault as Meddle | undefined;
    return () => {
      first.meddle = undefined;
    };
  }
  const broken = await (fault as () => Promise<Broken>)();
  urls.set(FIRST, broken.url);
  return () => {
    urls.set(FIRST, first.url);
    broken.close();
  };
}

test(
  'reads over changing faults: no wrong value, and none missing without saying so',
  { timeout },
  async () => {
    const random = new Random(seed);
    const tally = new Tally();
    // Node.js would print them on the stderr of a user.
    const warnings: Error[] = [];
    process.on('warning', (warning) => warnings.push(warning));
    for (let reads = 0; reads < READS; reads += READS_OF_AN_INSTANCE) {
      // First each of these, then any.
      const next = Object.keys(FAULTS)[reads / READS_OF_AN_INSTANCE];
      const kinds = next === undefined && random.below(50) === 0 ? SILENT : FAULTS;
      const name = next ?? random.of(Object.keys(kinds));
      let throttles = name === 'throttled for a moment' ? 2 : 0;
      const throttle: Meddle = () =>
        Promise.resolve(
          throttles-- > 0 ? awsError('ProvisionedThroughputExceededException') : undefined,
        );
      const undo = await strike(throttles > 0 ? throttle : kinds[name]);
      let answers = 0;
      const credstash = new Credstash({
        region: FIRST,
        fallbackRegions: [FALLBACK],
        onFallback: ({ region }) => {
          expect(region).toBe(FALLBACK);
          answers += 1;
        },
      });
      try {
        for (let i = 0; i < READS_OF_AN_INSTANCE; i += 1) {
          const before = answers;
          const outcome = await readOnce(credstash, random);
          const isReplica = answers > before;
          const who = isReplica ? 'the fallback' : outcome === 'unknown' ? 'neither' : 'the first';
          tally.add(`answered by ${who}: ${name}`);
          expect(outcome, name).toBe(isReplica ? 'old' : who === 'neither' ? 'unknown' : 'new');
          // Of a secret that is not replicated, nobody knows.
          if (outcome === 'unknown') tally.add('not in the replica, told as unknown');
        }
      } finally {
        await credstash.close();
        undo();
      }
      first.requests.length = 0;
      fallback.requests.length = 0;
    }
    expect(warnings).toEqual([]);
    tally.print('fallback');
    expect(tally.of('answered by the fallback: HTTP 500')).toBeGreaterThan(0);
    expect(tally.of('answered by the first: none')).toBeGreaterThan(0);
    expect(tally.of('answered by the fallback: none')).toBe(0);
    expect(tally.of('answered by the fallback: throttled for a moment')).toBe(0);
  },
);

/** One read of any kind: `old` or `new` if all of its values are, `unknown` if it says that nobody knows. */
async function readOnce(credstash: Credstash, random: Random): Promise<string> {
  const name = `name-${random.below(NAMES)}`;
  const ages = (texts: readonly string[]): string => [...new Set(texts)].join();
  const age = (value: Uint8Array, of: string): string => {
    const [version = '', rest] = Buffer.from(value).toString().split(' of ');
    expect(rest).toBe(of);
    return version;
  };
  switch (random.below(4)) {
    case 0:
      return age(await credstash.get(name), name);
    case 1: {
      const wanted = [{ name }, { name: 'name-0' }];
      const got = await credstash.getMany(wanted);
      return ages(got.map((each) => age(each.value, each.name)));
    }
    case 2: {
      const { secrets } = await credstash.getAll({ glob: 'name-*' });
      expect(secrets).toHaveLength(NAMES);
      return ages(secrets.map((each) => age(each.value, each.name)));
    }
    default:
      try {
        return age(await credstash.get('late'), 'late');
      } catch (failure) {
        expect(failure).toBeInstanceOf(CredstashError);
        expect((failure as CredstashError).code).toBe('UNREACHABLE');
        expect((failure as CredstashError).message).toContain('nobody knows');
        return 'unknown';
      }
  }
}

test('the time to the first answer', { timeout }, async () => {
  const rows: string[] = [];
  for (const [name, fault] of Object.entries({ ...FAULTS, ...SILENT })) {
    if (name === 'throttled for a moment') continue;
    const undo = await strike(fault);
    const credstash = new Credstash({ region: FIRST, fallbackRegions: [FALLBACK] });
    const start = performance.now();
    expect(await credstash.getText('name-0')).toMatch(/^(?:old|new) of name-0$/);
    rows.push(`  ${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    await credstash.close();
    undo();
  }
  process.stderr.write(`\nfallback: time to the first answer\n${rows.join('\n')}\n`);
});
