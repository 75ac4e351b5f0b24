import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Credstash } from '../../src/credstash.ts';
import { type Aws, dynamoEngines, startAws } from '../support/aws.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { v } from '../support/version.ts';

const context = { env: 'prod' };

/** Two writers that share a place and no connection. */
function describeRaces(open: () => Credstash): void {
  let writers: [Credstash, Credstash];
  beforeAll(() => {
    writers = [open(), open()];
  });
  afterAll(async () => {
    await Promise.all(writers.map((writer) => writer.close()));
  });

  it('of two writers of different fields, both win, each time', async () => {
    const [one, other] = writers;
    await one.put('different', '{"kept": 1.0}', { context });
    for (const round of ['0', '1', '2']) {
      await Promise.all([
        one.putField('different', 'one', round, { context }),
        other.putField('different', 'other', round, { context }),
        one.putField('different', `/in/${round}`, 'one', { context }),
        other.putField('different', `/in/o${round}`, 'other', { context }),
      ]);
      expect(await other.getJson('different', { context })).toMatchObject({
        ...{ kept: 1, one: round, other: round },
        in: { [round]: 'one', [`o${round}`]: 'other' },
      });
    }
    // Each change is a version, and none is stored twice.
    expect(await one.history('different')).toHaveLength(13);
    expect(await one.getText('different', { context })).toMatch(/^\{"kept": 1\.0,/);
  });

  it('of a writer and a remover of different fields, both win', async () => {
    const [one, other] = writers;
    await one.put('removed', '{"old":"x","a":"y"}');
    await Promise.all([one.putField('removed', 'a', 'new'), other.removeField('removed', 'old')]);
    expect(await one.getText('removed')).toBe('{"a":"new"}');
  });

  it('of a writer and a remover of one field, the one that stores last wins', async () => {
    const [one, other] = writers;
    await one.put('same', '{"a":"old"}');
    const [put, removed] = await Promise.all([
      one.putField('same', 'a', 'new'),
      other.removeField('same', 'a'),
    ]);
    expect([put.version, removed.version].sort()).toEqual([v(2), v(3)]);
    const wins = put.version > removed.version;
    expect(await one.getText('same')).toBe(wins ? '{"a":"new"}' : '{}');
  });

  it('of two that create a secret with a field each, both win', async () => {
    const [one, other] = writers;
    await Promise.all([one.putField('fresh', 'a', 'x'), other.putField('fresh', 'b', 'y')]);
    expect(await one.getJson('fresh')).toEqual({ a: 'x', b: 'y' });
  });

  it('of two removers of one field, one is told that it is gone', async () => {
    const [one, other] = writers;
    await one.put('gone', '{"a":"x"}');
    const ended = await Promise.allSettled([
      one.removeField('gone', 'a'),
      other.removeField('gone', 'a'),
    ]);
    const failed = ended.filter(({ status }) => status === 'rejected');
    expect(failed).toMatchObject([{ reason: { code: 'FIELD_NOT_FOUND' } }]);
  });
}

describe('changes of fields at once, in a vault', () => {
  const folder = join(temporaryFolder(), 'vault');
  describeRaces(() => Credstash.local(folder));
});

describe.each(dynamoEngines())('changes of fields at once, on $name', ({ start }) => {
  let aws: Aws;
  beforeAll(async () => {
    aws = await startAws(start);
    for (const [name, value] of Object.entries(aws.env)) vi.stubEnv(name, value);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await aws.close();
  });
  describeRaces(() => new Credstash());
});
