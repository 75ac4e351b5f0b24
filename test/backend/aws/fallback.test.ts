import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type * as Aws from '../../../src/backend/aws/index.ts';
import { Credstash } from '../../../src/credstash.ts';
import type { FallbackAnswer } from '../../../src/backend/aws/fallback.ts';
import type { AwsSettings } from '../../../src/backend/aws/settings.ts';
import { hasCode } from '../../../src/errors.ts';
import type { CredstashOptions } from '../../../src/session.ts';
import { dynamoLocalMissing, startDynalite, startDynamoLocal } from '../../support/dynamo.ts';
import { awsError, type Meddle, type Recorder } from '../../support/recorder.ts';
import {
  type Broken,
  failing,
  FALLBACK,
  FIRST,
  type Regions,
  refusing,
  resetting,
  silent,
  silentAfterHandshake,
  startRegions,
  stopping,
  unopened,
} from '../../support/regions.ts';
import { testCredential } from '../../support/sigv4.ts';
import { makeCertificate } from '../../support/tls.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Where each region is, by its table and its name: endpoints of a region are AWS's own, and no setting names them. */
const urls = vi.hoisted(() => new Map<string, string>());
vi.mock('../../../src/backend/aws/index.ts', async (load) => {
  const real = await load<typeof Aws>();
  return {
    ...real,
    openAws: (settings: AwsSettings) =>
      real.openAws({
        ...settings,
        endpoint: urls.get(`${settings.table} ${settings.region ?? ''}`),
      }),
  };
});

const folder = temporaryFolder();
const certificate = makeCertificate(folder);
let regions: Regions;
let counter = 0;

beforeAll(async () => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', testCredential.accessKeyId);
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', testCredential.secretAccessKey);
  vi.stubEnv('AWS_CA_BUNDLE', certificate.path);
  // Once, before the tests that run side by side load it.
  await import('../../../src/backend/aws/index.ts');
  regions = await startRegions(
    dynamoLocalMissing() === undefined ? startDynamoLocal : startDynalite,
  );
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await regions.close();
});

interface Place {
  readonly first: Recorder;
  readonly fallback: Recorder;
  readonly table: string;
  /** What `onFallback` was told. */
  readonly told: FallbackAnswer[];
  readonly credstash: Credstash;
  readonly open: (options?: CredstashOptions) => Credstash;
  /** Puts something else in the place of the first region. */
  readonly breakFirst: (url: string) => void;
}

/** A table in both regions, with `db` in both, `new` in the first region only, and `rotated` of which the fallback has an older version. */
async function makePlace(): Promise<Place> {
  const table = `fallback-${++counter}`;
  await regions.createTable(table);
  const [first, fallback] = await Promise.all([regions.connect(FIRST), regions.connect(FALLBACK)]);
  urls.set(`${table} ${FIRST}`, first.url);
  urls.set(`${table} ${FALLBACK}`, fallback.url);
  const told: FallbackAnswer[] = [];
  const open = (options: CredstashOptions = {}): Credstash =>
    new Credstash({
      table,
      region: FIRST,
      fallbackRegions: [FALLBACK],
      onFallback: (answer) => told.push(answer),
      ...options,
    });
  const credstash = open();
  await credstash.put('db', Buffer.from('of db'));
  await credstash.put('rotated', Buffer.from('old'));
  await regions.replicate(table);
  await credstash.put('rotated', Buffer.from('new'), { autoversion: true });
  await credstash.put('new', Buffer.from('of new'));
  first.requests.length = 0;
  const breakFirst = (url: string): void => {
    urls.set(`${table} ${FIRST}`, url);
  };
  return { first, fallback, table, told, credstash, open, breakFirst };
}

function fault(of: Recorder, meddle: Meddle): void {
  of.meddle = meddle;
}

describe.concurrent('an outage of the first region', () => {
  const faults: readonly (readonly [string, () => Promise<Broken>])[] = [
    ['refuses connections', refusing],
    ['resets connections', resetting],
    ['never opens a connection', unopened],
    ['never answers', () => silent('http')],
    ['hangs before the TLS handshake', () => silent('https')],
    ['hangs after the TLS handshake', () => silentAfterHandshake(certificate)],
    [
      'has no address',
      () => Promise.resolve({ url: 'http://region.invalid', close: () => undefined }),
    ],
  ];
  test.each(faults)('that %s', async (_, breakRegion) => {
    const place = await makePlace();
    const broken = await breakRegion();
    try {
      place.breakFirst(broken.url);
      const credstash = place.open();
      expect(await credstash.getText('db')).toBe('of db');
      expect(place.told).toEqual([
        {
          region: FALLBACK,
          unreachable: [
            { region: FIRST, error: expect.objectContaining({ code: 'UNREACHABLE' }) as unknown },
          ],
        },
      ]);
      // The next read does not ask the first region again.
      expect(await credstash.getText('rotated')).toBe('old');
      expect(place.told).toHaveLength(2);
      await credstash.close();
    } finally {
      broken.close();
      await place.credstash.close();
    }
  });

  const answers: readonly (readonly [string, Meddle, number])[] = [
    ['500', failing('InternalServerError', 500), 3],
    ['503', failing('ServiceUnavailable', 503), 3],
    ['half of each answer, and then nothing', stopping, 1],
    ['an answer that cannot be read', () => Promise.resolve({ status: 200, body: '<html>' }), 1],
  ];
  test.each(answers)('that answers with %s', async (_, meddle, requests) => {
    const place = await makePlace();
    fault(place.first, meddle);
    expect(await place.credstash.getText('db')).toBe('of db');
    expect(place.told).toMatchObject([{ region: FALLBACK, unreachable: [{ region: FIRST }] }]);
    // Silence is met once. Errors are retried, in the second that there is for that.
    expect(place.first.requests.length).toBeLessThanOrEqual(requests);
    await place.credstash.close();
  });

  test('of KMS only: the table of the fallback region is read, too', async () => {
    const place = await makePlace();
    fault(place.first, (action) =>
      Promise.resolve(
        action.startsWith('KMS') ? awsError('KMSInternalException', '', 500) : undefined,
      ),
    );
    expect(await place.credstash.getText('rotated')).toBe('old');
    expect(place.fallback.requests.map(({ action }) => action)).toEqual([
      'DynamoDB.Query',
      'KMS.Decrypt',
    ]);
    await place.credstash.close();
  });

  test('in the middle of a getAll: no secret of the first region is given', async () => {
    const place = await makePlace();
    let unwrapped = 0;
    fault(place.first, (action) =>
      Promise.resolve(
        action.startsWith('KMS') && ++unwrapped > 1
          ? awsError('KMSInternalException', '', 500)
          : undefined,
      ),
    );
    const { secrets, fallback } = await place.credstash.getAll();
    expect(secrets.map(({ name, value }) => [name, Buffer.from(value).toString()])).toEqual([
      ['db', 'of db'],
      ['rotated', 'old'],
    ]);
    expect(fallback).toMatchObject({ region: FALLBACK, unreachable: [{ region: FIRST }] });
    await place.credstash.close();
  });

  test('that throttles for ever is waited for, and then left', async () => {
    const place = await makePlace();
    // In the place of 30 s, in this test.
    const credstash = place.open({ throttlingTimeoutMs: 4000 });
    fault(place.first, failing('ProvisionedThroughputExceededException', 400));
    expect(await credstash.getText('db')).toBe('of db');
    expect(place.told).toMatchObject([{ unreachable: [{ error: { code: 'THROTTLED' } }] }]);
    // Three attempts of the SDK each time, and one wait between them at least.
    expect(place.first.requests.length).toBeGreaterThan(3);
    await credstash.close();
  });

  test('that has slow bytes, which come, is none', async () => {
    const place = await makePlace();
    fault(place.first, async (_, answer) => ({ ...(await answer()), delivery: 'slow' }));
    expect(await place.credstash.getText('rotated')).toBe('new');
    expect(place.told).toEqual([]);
    expect(place.fallback.requests).toEqual([]);
    await place.credstash.close();
  });

  test('that throttles for a while is none', async () => {
    const place = await makePlace();
    let left = 4;
    fault(place.first, () =>
      Promise.resolve(left-- > 0 ? awsError('ProvisionedThroughputExceededException') : undefined),
    );
    expect(await place.credstash.getText('rotated')).toBe('new');
    expect(place.told).toEqual([]);
    await place.credstash.close();
  });
});

describe.concurrent('an answer about the secret or the caller is final', () => {
  test.each([
    ['CREDENTIALS_REFUSED', 'ExpiredTokenException'],
    ['ACCESS_DENIED', 'AccessDeniedException'],
    ['TABLE_NOT_FOUND', 'ResourceNotFoundException'],
  ])('%s', async (code, name) => {
    const place = await makePlace();
    fault(place.first, failing(name, 400));
    await expect(place.credstash.get('db')).rejects.toMatchObject({ code });
    expect(place.fallback.requests).toEqual([]);
    await place.credstash.close();
  });

  test('SECRET_NOT_FOUND, WRONG_CONTEXT', async () => {
    const place = await makePlace();
    await expect(place.credstash.get('none')).rejects.toMatchObject({ code: 'SECRET_NOT_FOUND' });
    const context = { other: 'pair' };
    await expect(place.credstash.get('db', { context })).rejects.toMatchObject({
      code: 'WRONG_CONTEXT',
    });
    expect(place.fallback.requests).toEqual([]);
    await place.credstash.close();
  });
});

describe.concurrent('what a fallback region says', () => {
  const down = failing('InternalServerError', 500);

  test('of a secret that it does not have: nobody knows', async () => {
    const place = await makePlace();
    fault(place.first, down);
    const { credstash } = place;
    const unknown = {
      code: 'UNREACHABLE',
      message: `there is no secret new in the table ${place.table} in ${FALLBACK}; ${FIRST} could not be reached, so that nobody knows whether it exists there`,
    };
    await expect(credstash.get('new')).rejects.toMatchObject(unknown);
    await expect(credstash.history('new')).rejects.toMatchObject(unknown);
    const missing = {
      code: 'UNREACHABLE',
      failures: [{ name: 'new', error: { code: 'UNREACHABLE' } }],
    };
    await expect(credstash.getMany([{ name: 'db' }, { name: 'new' }])).rejects.toMatchObject(
      missing,
    );
    await expect(credstash.get('rotated', { version: '2' })).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
    const { secrets, leftOut } = await credstash.getAll({ version: '2', skipUndecryptable: true });
    expect(secrets).toEqual([]);
    expect(leftOut.map(({ error }) => error.code)).toEqual(['UNREACHABLE', 'UNREACHABLE']);
    await credstash.close();
  });

  test('of its own faults is an error that names both', async () => {
    const place = await makePlace();
    fault(place.first, down);
    const context = { other: 'pair' };
    await expect(place.credstash.get('db', { context })).rejects.toMatchObject({
      code: 'WRONG_CONTEXT',
      message: expect.stringContaining(`${FIRST} could not be reached`) as unknown,
    });
    fault(place.fallback, down);
    await expect(place.credstash.get('db')).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: `no region could be reached: ${FIRST}, ${FALLBACK}`,
      failures: [{ name: FIRST }, { name: FALLBACK }],
    });
    await place.credstash.close();
  });

  test('every read says it: lists, names, headers, history, render, references', async () => {
    const place = await makePlace();
    fault(place.first, down);
    const { credstash, told } = place;
    expect(await credstash.names()).toEqual(['db', 'rotated']);
    expect(await credstash.list()).toHaveLength(2);
    const headers = [];
    for await (const header of credstash.headers()) headers.push(header.name);
    expect(headers.sort()).toEqual(['db', 'rotated']);
    expect(await credstash.history('rotated')).toHaveLength(1);
    expect(
      Buffer.from(await credstash.render(Buffer.from('{{ credstash://db }}'))).toString(),
    ).toBe('of db');
    expect(await credstash.resolveReferences({ A: 'credstash://db' })).toEqual(
      new Map([['A', new Uint8Array(Buffer.from('of db'))]]),
    );
    expect(await credstash.createCache().getText('db')).toBe('of db');
    expect(told).toHaveLength(7);
    expect(new Set(told.map(({ region }) => region))).toEqual(new Set([FALLBACK]));
    await credstash.close();
  });
});

test('a stream that has yielded stays in its region, and ends with its outage', async () => {
  const place = await makePlace();
  const headers = place.credstash.headers();
  expect((await headers.next()).done).toBe(false);
  fault(place.first, failing('InternalServerError', 500));
  expect((await headers.next()).done).toBe(false);
  await headers.return(undefined);
  expect(place.fallback.requests).toEqual([]);
  await place.credstash.close();
});

test('after a minute one read asks the first region again', async () => {
  const place = await makePlace();
  fault(place.first, failing('InternalServerError', 500));
  expect(await place.credstash.getText('rotated')).toBe('old');
  place.first.meddle = undefined;
  const now = performance.now.bind(performance);
  expect(await place.credstash.getText('rotated')).toBe('old');
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 61_000);
  try {
    expect(await place.credstash.getText('rotated')).toBe('new');
    expect(await place.credstash.getText('rotated')).toBe('new');
    expect(place.told).toHaveLength(2);
  } finally {
    clock.mockRestore();
  }
  await place.credstash.close();
});

test('a command stays in the fallback region', async () => {
  const place = await makePlace();
  const credstash = place.open({ staysInFallback: true });
  fault(place.first, failing('InternalServerError', 500));
  expect(await credstash.getText('rotated')).toBe('old');
  place.first.meddle = undefined;
  const now = performance.now.bind(performance);
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 3_600_000);
  try {
    expect(await credstash.getText('rotated')).toBe('old');
  } finally {
    clock.mockRestore();
  }
  await credstash.close();
});

test('writes do not fall over', async () => {
  const place = await makePlace();
  fault(place.first, failing('InternalServerError', 500));
  const { credstash } = place;
  await expect(credstash.put('db', Buffer.from('x'), { version: '2' })).rejects.toSatisfy((error) =>
    hasCode(error, 'UNREACHABLE'),
  );
  await expect(credstash.rollback('rotated')).rejects.toMatchObject({ code: 'UNREACHABLE' });
  await expect(credstash.label('rotated', 'live')).rejects.toMatchObject({ code: 'UNREACHABLE' });
  expect(place.fallback.requests).toEqual([]);
  await credstash.close();
});

test('trusted keys count a multi-Region key in each region; another key does not open', async () => {
  const place = await makePlace();
  fault(place.first, failing('InternalServerError', 500));
  const [key] = regions.kms[FIRST]?.keys().filter(({ multiRegion }) => multiRegion) ?? [];
  const trusting = place.open({ trustedKeys: [key?.arn ?? ''] });
  expect(await trusting.getText('db')).toBe('of db');
  const other = regions.kms[FALLBACK]?.addKey('alias/other') ?? '';
  const distrusting = place.open({ trustedKeys: [other] });
  await expect(distrusting.getText('db')).rejects.toMatchObject({ code: 'ENTRY_NOT_TRUSTED' });
  await Promise.all([trusting.close(), distrusting.close(), place.credstash.close()]);
});

test('an entry under a key of one region does not open in another, and the hint says why', async () => {
  const place = await makePlace();
  const arn = regions.kms[FIRST]?.addKey('alias/single') ?? '';
  const single = place.open({ key: arn });
  await single.put('single', Buffer.from('x'));
  await regions.replicate(place.table);
  fault(place.first, failing('InternalServerError', 500));
  await expect(single.get('single')).rejects.toMatchObject({
    code: 'ACCESS_DENIED',
    hint: expect.stringContaining('multi-Region') as unknown,
  });
  await Promise.all([single.close(), place.credstash.close()]);
});

test('no fallback region is asked, opened or loaded while the first one answers', async () => {
  const place = await makePlace();
  expect(await place.credstash.getText('rotated')).toBe('new');
  // As without fallback regions.
  expect(place.first.requests.map(({ action }) => action)).toEqual([
    'DynamoDB.Query',
    'KMS.Decrypt',
  ]);
  expect(place.fallback.requests).toEqual([]);
  await place.credstash.close();
});

describe('settings', () => {
  test.each([
    [{ fallbackRegions: ['eu-central-1', 'eu-central-1'] }, 'twice'],
    [{ fallbackRegions: ['EU'] }, 'not a region'],
    [{ fallbackRegions: 'eu-central-1' }, 'not a list'],
    [{ fallbackRegions: [1] }, 'not a list'],
  ])('%j is refused', (options, words) => {
    expect(() => new Credstash(options as unknown as CredstashOptions)).toThrow(words);
  });

  test('a vault has no regions', () => {
    const options = { fallbackRegions: [FALLBACK] };
    expect(() => Credstash.local(folder, options as object)).toThrow();
  });

  test('an endpoint of the first region cannot serve another', async () => {
    const credstash = new Credstash({
      table: 'anywhere',
      region: FIRST,
      fallbackRegions: [FALLBACK],
      clientOptions: { kms: { endpoint: `https://vpce-1.kms.${FIRST}.vpce.amazonaws.com` } },
    });
    await expect(credstash.get('db')).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('the region itself in the list is ignored, so that all regions can have one list', async () => {
    const place = await makePlace();
    const credstash = place.open({ region: FALLBACK, fallbackRegions: [FALLBACK, FIRST] });
    expect(await credstash.getText('rotated')).toBe('old');
    fault(place.fallback, failing('InternalServerError', 500));
    expect(await credstash.getText('rotated')).toBe('new');
    await Promise.all([credstash.close(), place.credstash.close()]);
  });
});
