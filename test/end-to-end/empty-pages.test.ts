import { afterAll, beforeAll, expect, test } from 'vitest';
import { putManyRaw, putRaw, scanRaw } from '../support/dynamo.ts';
import { type HttpServer, startHttpServer } from '../support/http-server.ts';
import { awsPlace, dynalite, ok, type Place, runHere, type Running, stored } from './backends.ts';
import { v } from '../support/version.ts';

/*
 * Pages that a filter leaves empty: DynamoDB looks at one item for each here, as it looks at 1 MB elsewhere.
 */

const EMPTY = 150;

let running: Running;
let proxy: HttpServer;
let table: string;
/** On the table as it is. */
let plain: Place;
/** On the table, one item a page. */
let place: Place;
let pages = 0;

beforeAll(async () => {
  running = await dynalite.start();
  const dynamo = running.dynamo ?? '';
  proxy = await startHttpServer(({ headers }, response, body) => {
    pages += 1;
    const input = { ...(JSON.parse(body.toString()) as object), Limit: 1 };
    const { host: _, 'content-length': __, connection: ___, ...rest } = headers;
    void fetch(dynamo, {
      method: 'POST',
      headers: rest as Record<string, string>,
      body: JSON.stringify(input),
    }).then(async (answer) => {
      response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(await answer.text());
    });
  });
  plain = await running.place();
  table = plain.args[1] ?? '';
  place = awsPlace(proxy.url, running.kms?.url ?? '', table, runHere);
});
afterAll(async () => {
  await proxy.close();
  await running.close();
});

async function plant(items: readonly (readonly [name: string, version: number])[]): Promise<void> {
  await putManyRaw(
    running.dynamo ?? '',
    table,
    items.map(([name, version]) => ({ name: { S: name }, version: { S: v(version) } })),
  );
}

test('a scan finds the one match behind many empty pages', async () => {
  await plant(Array.from({ length: EMPTY + 1 }, (_, i) => [`n${String(i).padStart(3, '0')}`, 1]));
  const all = await scanRaw(running.dynamo ?? '', table);
  const last = all.at(-1)?.['name']?.S ?? '';
  expect(await plain.cs(['delete', last])).toMatchObject({ status: 0 });
  expect(await plain.cs(['put', last, 'found'])).toEqual(stored(last));
  pages = 0;
  const { status, stdout, stderr } = await place.cs(['get', `${last}*`]);
  expect({ status, stderr, found: JSON.parse(stdout) as unknown }).toEqual({
    status: 0,
    stderr: '',
    found: { [last]: 'found' },
  });
  expect(pages).toBeGreaterThan(EMPTY);
});

test('a query finds the one version with a label behind many that have none', async () => {
  expect(await plain.cs(['put', 'db', 'found'])).toEqual(stored('db'));
  const all = await scanRaw(running.dynamo ?? '', table);
  const put = all.find((item) => item['name']?.S === 'db');
  await putRaw(running.dynamo ?? '', table, { ...put, labels: { SS: ['live'] } });
  await plant(Array.from({ length: EMPTY }, (_, i) => ['db', i + 2]));
  pages = 0;
  expect(await place.cs(['get', 'db', '--label', 'live'])).toEqual(ok('found\n'));
  expect(pages).toBeGreaterThan(EMPTY);
});
