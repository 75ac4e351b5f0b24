import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { estimateScanUnits } from '../../src/backend/aws/read-units.ts';
import type { MemoryItems } from '../../src/backend/memory/entry-store.ts';
import { openMemory } from '../../src/backend/memory/index.ts';
import { Credstash } from '../../src/credstash.ts';
import { bindName } from '../../src/model/context.ts';
import { parseItem } from '../../src/model/item.ts';
import { putManyRaw, type RawItem, withClient } from '../support/dynamo.ts';
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

/** As long as a data key of 64 bytes that KMS has wrapped, about. */
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

  /** A table of so many secrets, whose old versions nobody opens. They are sealed here, as a `putall` seals them. */
  async function fill(secrets: number, versions: number, bytes: number): Promise<Place> {
    const place = await running.place();
    const [, table = ''] = place.args;
    const items: MemoryItems = new Map();
    const memory = openMemory(items);
    const all = Array.from({ length: secrets }, (_, i) => ({
      name: `svc${i % 3}.${String(i).padStart(5, '0')}`,
      value: 'x'.repeat(bytes),
    }));
    await Credstash.over(memory).putAll(all, { version: String(versions) });
    const entries: RawItem[] = [];
    for (const item of items.values()) {
      const { name, key } = parseItem(item);
      const context = bindName({}, name);
      const wrapped = randomBytes(WRAPPED_BYTES);
      running.kms?.importDataKey(wrapped, { ...context }, await memory.keys.unwrap(key, context));
      for (let version = 1; version <= versions; version += 1) {
        entries.push({ ...item, version: { S: v(version) }, key: { B: wrapped } });
      }
    }
    memory.close();
    await putManyRaw(running.dynamo ?? '', table, entries);
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
