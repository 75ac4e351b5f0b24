import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type KeyService, wrongContext } from '../src/backend/key-service.ts';
import { openMemory } from '../src/backend/memory/index.ts';
import { Credstash } from '../src/credstash.ts';
import type { Secret } from '../src/model/entry.ts';
import { parseItem } from '../src/model/item.ts';
import { formatList } from '../src/format/list.ts';
import { fromJson, originals } from './seal/vectors.ts';
import { formatCsv, formatDotenv, formatJson, formatYaml } from './support/formats.ts';

/*
 * What 1.17.1 prints for a table that it wrote (test/golden/make.py) is what our operations and formats make of that table.
 */
const golden = (file: string): string =>
  readFileSync(join(import.meta.dirname, 'golden', file), 'utf8');

/** As Python's print ends what it is given. */
const printed = (text: string): string => `${text}\n`;

const table = originals
  .map(({ item, context, dataKey }) => ({ entry: parseItem(fromJson(item)), context, dataKey }))
  .filter(({ entry }) => entry.name !== 'large');

const { entries } = openMemory();
for (const { entry } of table) await entries.create(entry);
const credstash = Credstash.over({
  keys: {
    warmUp: () => undefined,
    unwrap: (wrapped, context) => {
      const row = table.find(({ entry }) => Buffer.compare(entry.key, wrapped) === 0);
      return JSON.stringify(row?.context) === JSON.stringify(context)
        ? Promise.resolve(new Uint8Array(Buffer.from(row?.dataKey ?? '', 'base64')))
        : Promise.reject(wrongContext('the fake', context));
    },
  } as Partial<KeyService> as KeyService,
  entries,
});

describe('getall', () => {
  let secrets: readonly Secret[];
  beforeAll(async () => {
    const all = await credstash.getAll({ skipUndecryptable: true });
    ({ secrets } = all);
    expect(all.leftOut.map(({ error }) => error.code)).toEqual(Array(7).fill('WRONG_CONTEXT'));
  });

  it('-f json is the same bytes', () => {
    expect(printed(formatJson(secrets))).toBe(golden('getall.json'));
  });

  it('-f csv is the same bytes', () => {
    expect(printed(formatCsv(secrets))).toBe(golden('getall.csv'));
  });

  it('-f yaml is the same lines, and the same values where PyYAML writes several lines', () => {
    // PyYAML breaks a long value after 80 columns; ours stands on one line, which is easier to cut out and to diff.
    const rows = (text: string): string[] => text.split(/^(?=\S)/m);
    const ours = rows(printed(formatYaml(secrets)));
    const theirs = rows(golden('getall.yaml'));
    expect(ours).toHaveLength(secrets.length);
    expect(theirs).toHaveLength(secrets.length);
    let broken = 0;
    for (const [i, row] of theirs.entries()) {
      if (/\n +/.test(row)) {
        broken += 1;
        expect(parse(ours[i] ?? '')).toEqual(parse(row));
      } else {
        expect(ours[i]).toBe(row);
      }
    }
    expect(broken).toBe(3);
  });

  it('-f dotenv is the same bytes for names and values that need no escape', () => {
    const simple = secrets.filter(
      ({ name, value }) => /^\w+$/.test(name) && !/['\r\n]/.test(Buffer.from(value).toString()),
    );
    expect(printed(formatDotenv(simple))).toBe(golden('getall.dotenv'));
  });
});

it('list is the same bytes', async () => {
  expect(formatList(await credstash.list())).toBe(golden('list.txt'));
});

it('keys is the same bytes', async () => {
  expect((await credstash.names()).map(printed).join('')).toBe(golden('keys.txt'));
});
