import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BatchWriteItemCommand, DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { estimateScanUnits } from '../../src/backend/aws/read-units.ts';
import { scanRaw, withClient } from '../support/dynamo.ts';
import { type Recorder, startRecorder } from '../support/recorder.ts';
import { awsPlace, backends, dynalite, type Place, runHere, type Running } from './backends.ts';
import { v } from '../support/version.ts';

/*
 * The figures of docs/reference/costs.md, measured: DynamoDB Local tells what each request consumes (ReturnConsumedCapacity), and so does
 * dynalite, where DynamoDB Local is not at hand.
 */

const page = readFileSync(join(import.meta.dirname, '../../docs/reference/costs.md'), 'utf8');

/** A row of the table of docs/reference/costs.md: what is said of one command on one table. */
interface Row {
  readonly what: string;
  readonly secrets: number;
  readonly versions: number;
  readonly bytes: number;
  readonly requests: number;
  readonly read: number;
  readonly write: number;
  readonly kms: number;
}

const rows: Row[] = page
  .split('\n')
  .map((line) => line.split('|').slice(1, -1))
  .filter((cells) => cells.length === 8 && /^\s*[\d,]+\s*$/.test(cells[1] ?? ''))
  .map(([what = '', ...cells]) => {
    const [secrets = 0, versions = 0, bytes = 0, requests = 0, read = 0, write = 0, kms = 0] =
      cells.map((cell) => Number(cell.replaceAll(',', '')));
    return { what: what.trim(), secrets, versions, bytes, requests, read, write, kms };
  });

/** As long as a data key of 64 bytes that KMS has wrapped, about. Those of our KMS are shorter. */
const WRAPPED_BYTES = 216;
/** Each segment of a scan may have a page more, by the names that DynamoDB's hash puts in it. */
const SEGMENTS = 4;

/** How the page calls a command, and its command line. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  '`get NAME`': ['get', 'svc1.00004'],
  '`exec --env A=NAME`': ['exec', '--env', 'A=svc1.00004', '--', 'true'],
  "`exec 'svc1.0*'`": ['exec', 'svc1.0000*', '--', 'true'],
  'three patterns': ['exec', 'svc0.0000*', 'svc1.0000*', 'svc2.0000*', '--', 'true'],
  '`getall`': ['getall'],
  '`list`': ['list'],
  '`put -a`': ['put', 'svc1.00004', 'x', '-a'],
};

/** The tables that are small enough to be filled here. */
const TABLES = [
  ...new Set(
    rows
      .filter(({ secrets, versions }) => secrets * versions <= 3000)
      .map(({ secrets, versions, bytes }) => `${secrets} ${versions} ${bytes}`),
  ),
];

describe('docs/reference/costs.md', () => {
  let running: Running;
  let recorder: Recorder;
  const used = { read: 0, write: 0 };
  beforeAll(async () => {
    running = await (backends.at(-1) ?? dynalite).start();
    const dynamo = running.dynamo ?? '';
    recorder = await startRecorder({ KMS: running.kms?.url ?? '' });
    recorder.meddle = async (action, _, sent, headers) => {
      if (!action.startsWith('DynamoDB')) return undefined;
      const { host: __, 'content-length': ___, connection: ____, ...rest } = headers;
      const input = { ...(JSON.parse(sent) as object), ReturnConsumedCapacity: 'TOTAL' };
      const answer = await fetch(dynamo, {
        method: 'POST',
        headers: rest as Record<string, string>,
        body: JSON.stringify(input),
      });
      const body = await answer.text();
      const { ConsumedCapacity } = JSON.parse(body) as {
        ConsumedCapacity?: { CapacityUnits: number };
      };
      const kind = /Scan|Query|GetItem/.test(action) ? 'read' : 'write';
      used[kind] += ConsumedCapacity?.CapacityUnits ?? 0;
      return { status: answer.status, body };
    };
  });
  afterAll(async () => {
    await recorder.close();
    await running.close();
  });

  /** A table of so many secrets, whose old versions nobody opens. */
  async function fill(secrets: number, versions: number, bytes: number): Promise<Place> {
    const place = await running.place();
    const [, table = ''] = place.args;
    const values = Array.from({ length: secrets }, (_, i) => [
      `svc${i % 3}.${String(i).padStart(5, '0')}`,
      'x'.repeat(bytes),
    ]);
    const input = JSON.stringify(Object.fromEntries(values));
    expect(await place.cs(['putall', '-v', String(versions), '-'], { input })).toMatchObject({
      status: 0,
    });
    const dynamo = running.dynamo ?? '';
    const newest = await scanRaw(dynamo, table);
    const older = newest.flatMap((item) =>
      Array.from({ length: versions - 1 }, (_, i) => ({
        ...item,
        version: { S: v(i + 1) },
        key: { B: new Uint8Array(WRAPPED_BYTES) },
      })),
    );
    await withClient(dynamo, async (client) => {
      for (let at = 0; at < older.length; at += 25) {
        const batch = older.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } }));
        await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: batch } }));
      }
    });
    return awsPlace(recorder.url, recorder.url, table, runHere);
  }

  test('has the rows that are measured here', () => {
    expect(TABLES.length).toBeGreaterThanOrEqual(3);
    expect(rows.length % Object.keys(COMMANDS).length).toBe(0);
    expect(rows.every(({ what }) => what in COMMANDS)).toBe(true);
    // The example of the text, that of an issue.
    expect(TABLES).toContain('100 20 4096');
  });

  test.each(TABLES)('%s: each command takes what the page says', async (size) => {
    const [secrets = 0, versions = 0, bytes = 0] = size.split(' ').map(Number);
    const place = await fill(secrets, versions, bytes);
    const found: Row[] = [];
    const said = rows.filter(
      (row) => row.secrets === secrets && row.versions === versions && row.bytes === bytes,
    );
    for (const row of said) {
      recorder.requests.length = 0;
      Object.assign(used, { read: 0, write: 0 });
      expect(await place.cs(COMMANDS[row.what] ?? [])).toMatchObject({ status: 0, stderr: '' });
      const count = (service: string): number =>
        recorder.requests.filter(({ action }) => action.startsWith(service)).length;
      found.push({ ...row, requests: count('DynamoDB'), kms: count('KMS'), ...used });
    }
    for (const [i, row] of said.entries()) {
      const { requests, read, write, kms } = found[i] as Row;
      const got = `${row.what}: ${JSON.stringify(found[i])}`;
      expect([write, kms], got).toEqual([row.write, row.kms]);
      const isScanned = row.requests > 2;
      expect(Math.abs(requests - row.requests), got).toBeLessThanOrEqual(isScanned ? SEGMENTS : 0);
      const inexact = row.read > 2 ? Math.max(1, row.read * 0.03) : 0;
      expect(Math.abs(read - row.read), got).toBeLessThanOrEqual(inexact);
    }
    // What doctor tells.
    const description = await withClient(running.dynamo ?? '', (client) =>
      client.send(new DescribeTableCommand({ TableName: place.args[1] })),
    );
    const { read } = found.find(({ what }) => what === '`list`') as Row;
    const estimate = estimateScanUnits(description.Table?.TableSizeBytes ?? 0);
    expect(Math.abs(estimate - read)).toBeLessThanOrEqual(Math.max(1, read * 0.02));
  });
});
