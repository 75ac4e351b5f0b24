import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Policy } from '../../src/policy.ts';
import { createTable } from '../support/dynamo.ts';
import { allows, asked } from '../support/iam.ts';
import type { KmsServer } from '../support/kms-server.ts';
import { awsError, type Meddle, type Recorder, startRecorder } from '../support/recorder.ts';
import { tableExtras } from '../support/table-extras.ts';
import {
  awsPlace,
  backends,
  dynamoLocal,
  type Ended,
  runHere,
  type Running,
  temporaryFolder,
} from './backends.ts';

/** The rows of the table in docs/permissions.md: of a command, whose policies it needs, and what it calls. */
const ROWS = readFileSync(join(import.meta.dirname, '../../docs/permissions.md'), 'utf8')
  .replace(/^[^]*\n## Which command needs which\n/, '')
  .replace(/\n## [^]*$/, '')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(2)
  .map((line) => {
    const [, command = '', roles = '', calls = ''] = line.split('|').map((cell) => cell.trim());
    return {
      command: command.replaceAll('`', ''),
      /** Each of these will do. */
      roles: roles.split(' or ').map((all) => all.split(' and ').filter((role) => role !== 'none')),
      calls: [...calls.matchAll(/`(\w+:\w+)`/g)].map(([, call = '']) => call).sort(),
    };
  });

/** How a command line of the table ends, and what stands on its stdout. */
type Line = [args: string[], status?: number, says?: string];

interface Case {
  /** What is there before, as nobody in particular. */
  readonly before?: Line[];
  readonly lines: Line[];
}

const folder = temporaryFolder();
const template = join(folder.path, 'template');
writeFileSync(template, '{{ credstash://a }}');

const two: Line[] = [[['put', 'a', 'one']], [['put', 'a', 'two', '-a']]];
const labelled: Line[] = [...two, [['label', 'a', 'live', '-v', '1']]];
const original: Line[] = [[['put', 'a', 'one', '--cipher', 'AES-256-CTR']]];

/** The command lines of each row. `TABLE` is a table of its own, `OTHER` a second one that is there, empty. */
const CASES: Readonly<Record<string, Case>> = {
  'get NAME': { before: two, lines: [[['get', 'a']], [['get', 'absent'], 3]] },
  'get NAME -v V': {
    before: two,
    lines: [[['get', 'a', '-v', '1']], [['get', 'a', '-v', '9'], 3]],
  },
  'get NAME --label L': { before: labelled, lines: [[['get', 'a', '--label', 'live']]] },
  'get GLOB': { before: two, lines: [[['get', 'a*']]] },
  getall: { before: labelled, lines: [[['getall']], [['getall', '--label', 'live']]] },
  'exec NAME': { before: two, lines: [[['exec', 'a', '--', 'true']]] },
  'exec GLOB': { before: two, lines: [[['exec', '*', '--', 'true']]] },
  render: { before: two, lines: [[['render', template]]] },
  list: { before: two, lines: [[['list']], [['list', '-l']]] },
  keys: { before: two, lines: [[['keys']]] },
  history: { before: two, lines: [[['history', 'a']]] },
  'put NAME': { lines: [[['put', 'a', 'one']], [['put', 'a', 'two'], 4]] },
  'put NAME -a': { before: two, lines: [[['put', 'a', 'three', '-a']], [['put', 'b', 'x', '-a']]] },
  'completion of names': {
    before: two,
    lines: [[['__complete', 'fish', '--', '-t', 'TABLE', 'get', ''], 0, 'a\t']],
  },
  putall: { lines: [[['putall', '{"a": "one", "b": "two"}']], [['putall', '{"a": "x"}'], 4]] },
  'putall -a': { before: two, lines: [[['putall', '-a', '{"a": "three"}']]] },
  'putall --skip-unchanged': {
    before: [[['put', 'a', 'one']]],
    lines: [
      [['putall', '--skip-unchanged', '{"a": "one", "b": "two"}']],
      [['putall', '-a', '--skip-unchanged', '{"a": "one", "b": "two", "c": "three"}']],
      [['putall', '--skip-unchanged', '{"a": "other"}'], 4],
    ],
  },
  rollback: { before: two, lines: [[['rollback', 'a']], [['rollback', 'a', '-v', '2']]] },
  delete: { before: two, lines: [[['delete', 'a', '-v', '1']], [['delete', 'a']]] },
  label: {
    before: labelled,
    lines: [[['label', 'a', 'live']], [['label', 'a', 'new', '-v', '1']]],
  },
  unlabel: { before: labelled, lines: [[['unlabel', 'a', 'live']]] },
  prune: {
    before: [...labelled, [['put', 'a', 'three', '-a']]],
    lines: [[['prune', '--keep', '1']]],
  },
  rekey: { before: two, lines: [[['rekey', '-k', 'alias/new', '-y']]] },
  migrate: { before: original, lines: [[['migrate']], [['migrate', '--cipher', 'AES-256-CTR']]] },
  'copy --to-table T': {
    before: labelled,
    lines: [[['copy', '--to-table', 'OTHER']], [['copy', '--to-table', 'OTHER']]],
  },
  'copy --to-local FOLDER': { before: two, lines: [[['copy', '--to-local', 'FOLDER']]] },
  setup: { lines: [[['-t', 'TABLE-new', 'setup']], [['setup', '--tags', 'a=b']]] },
  'setup --create-key': {
    lines: [
      [['setup', '--create-key', '-k', 'alias/TABLE']],
      [['setup', '--create-key', '-k', 'alias/credstash']],
      [['setup', '--create-key', '--multi-region', '-k', 'alias/TABLE-many']],
    ],
  },
  'setup --point-in-time-recovery': { lines: [[['setup', '--point-in-time-recovery']]] },
  'setup --deletion-protection': { lines: [[['setup', '--deletion-protection']]] },
  policy: { lines: [[['policy', 'admin']]] },
};

/** Calls of no request that a command makes by itself: credentials, and what another service does for KMS. */
const INDIRECT = ['iam:CreateServiceLinkedRole', 'sts:GetCallerIdentity'];

test('every row of docs/permissions.md has its command lines here, and the reverse', () => {
  expect(ROWS.map(({ command }) => command).sort()).toEqual(Object.keys(CASES).sort());
});

// Labels move in transactions, which dynalite has none of.
describe.each(backends.filter(({ name }) => name === dynamoLocal.name))('$name', ({ start }) => {
  let running: Running;
  let kms: KmsServer;
  let recorder: Recorder;
  const extras = tableExtras();
  let count = 0;

  beforeAll(async () => {
    running = await start();
    if (!running.kms || running.dynamo === undefined) throw new Error('no AWS');
    kms = running.kms;
    kms.addKey('alias/new');
    recorder = await startRecorder({ DynamoDB: running.dynamo, KMS: kms.url });
  });
  afterAll(async () => {
    folder.remove();
    await Promise.all([running.close(), recorder.close()]);
  });
  beforeEach(() => {
    recorder.meddle = extras.meddle;
  });

  /** What was called under the policies, which are enforced; what they do not allow is answered as denied. */
  const calls: string[] = [];
  const enforce = (policies: readonly Policy[]): Meddle => {
    calls.length = 0;
    return async (action, answer, sent, headers) => {
      const asks = asked(action, 'us-east-1', sent, kms);
      calls.push(...asks.map((each) => each.action));
      if (!asks.every((each) => allows(policies, each))) {
        return awsError('AccessDeniedException', 'not allowed');
      }
      return extras.meddle(action, answer, sent, headers);
    };
  };

  interface Table {
    readonly cs: (args: readonly string[]) => Promise<Ended>;
    readonly policies: (...roles: readonly string[]) => Promise<Policy[]>;
    readonly run: (lines: readonly Line[]) => Promise<Ended[]>;
  }

  const newTable = async (): Promise<Table> => {
    const table = `permissions-${++count}`;
    const other = `${table}-other`;
    for (const each of [table, other]) await createTable(running.dynamo ?? '', each);
    const { cs } = awsPlace(recorder.url, recorder.url, table, runHere);
    const words = (args: readonly string[]): string[] =>
      args.map((arg) =>
        arg
          .replace('TABLE', table)
          .replace('OTHER', other)
          .replace('FOLDER', join(folder.path, table)),
      );
    const run: Table['run'] = async (lines) => {
      const ended: Ended[] = [];
      for (const [args] of lines) ended.push(await cs(words(args)));
      return ended;
    };
    const policies: Table['policies'] = async (...roles) => {
      const found: Policy[] = [];
      const print = async (...args: string[]): Promise<void> => {
        const { stdout, stderr } = await cs(['policy', '--account', '123456789012', ...args]);
        expect(stderr).toBe('');
        found.push(JSON.parse(stdout) as Policy);
      };
      // Of every table and key that the command line is about, as the document has it.
      for (const role of roles) {
        await print(role);
        if (role !== 'admin') continue;
        for (const each of [other, `${table}-new`]) await print(role, '-t', each);
        for (const key of ['new', table, `${table}-many`]) await print(role, '-k', `alias/${key}`);
      }
      return found;
    };
    return { cs, policies, run };
  };

  test.each(ROWS)('$command', { timeout: 60_000 }, async ({ command, roles, calls: promised }) => {
    const { before = [], lines } = CASES[command] ?? { lines: [] };
    /** What the command lines say under the policies of these roles; on a table of their own. */
    const under = async (all: readonly string[]): Promise<Ended[]> => {
      const table = await newTable();
      recorder.meddle = extras.meddle;
      for (const { status, stderr } of await table.run(before)) {
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      }
      recorder.meddle = enforce(await table.policies(...all));
      return table.run(lines);
    };
    /** Whether each ended as it should. */
    const wentWell = (ended: readonly Ended[]): boolean =>
      ended.every(({ status, stdout }, i) => {
        const [, wanted = 0, says = ''] = lines[i] ?? [[]];
        return status === wanted && stdout.includes(says);
      });
    for (const all of roles) {
      const ended = await under(all);
      expect(wentWell(ended), JSON.stringify(ended)).toBe(true);
      // The document promises these, no more and no less.
      expect([...new Set(calls)].sort()).toEqual(promised);
    }
    // No lesser role would do.
    for (const role of promised.length === 0 ? [] : ['reader', 'writer']) {
      if (roles.some((all) => all.length === 1 && all[0] === role)) continue;
      expect(wentWell(await under([role])), `${command} as ${role}`).toBe(false);
    }
  });

  test('the least: every action of a policy is one that a command calls', async () => {
    const table = await newTable();
    for (const role of ['reader', 'writer', 'admin']) {
      const [policy] = await table.policies(role);
      const granted = new Set(policy?.Statement.flatMap(({ Action }) => Action));
      for (const each of INDIRECT) granted.delete(each);
      const called = new Set(
        ROWS.filter(
          ({ roles }) => role === 'admin' || roles.some((all) => all.includes(role)),
        ).flatMap((row) => row.calls),
      );
      for (const each of granted) expect(called, `${role}: ${each}`).toContain(each);
    }
  });

  test('by name: what matches works, and nothing else does', { timeout: 60_000 }, async () => {
    const table = await newTable();
    await table.run([
      [['put', 'app.a', 'one']],
      [['put', 'other', 'x']],
      [['put', 'app.old', 'y', '--cipher', 'AES-256-CTR']],
    ]);
    const named = async (role: string, ...args: string[]): Promise<void> => {
      recorder.meddle = extras.meddle;
      const { stdout } = await table.cs(['policy', role, ...args]);
      recorder.meddle = enforce([JSON.parse(stdout) as Policy]);
    };
    const status = async (...args: string[]): Promise<number | null> =>
      (await table.cs(args)).status;
    await named('reader', '--name', 'app.*');
    expect(await status('get', 'app.a')).toBe(0);
    expect(await status('history', 'app.a')).toBe(0);
    for (const args of [
      ['get', 'other'],
      ['get', 'app.old'],
      ['getall'],
      ['list'],
      ['put', 'app.b', 'x'],
    ]) {
      expect(await status(...args), args.join(' ')).toBe(6);
    }
    await named('writer', '--name', 'app.*');
    expect(await status('put', 'app.a', 'two', '-a')).toBe(0);
    for (const args of [
      ['put', 'other', 'x', '-a'],
      ['put', 'application', 'x'],
      ['put', 'app.c', 'x', '--cipher', 'AES-256-CTR'],
      ['get', 'app.a'],
    ]) {
      expect(await status(...args), args.join(' ')).toBe(6);
    }
    await named('admin', '--name', 'app.*');
    for (const args of [
      ['label', 'app.a', 'live'],
      ['unlabel', 'app.a', 'live'],
      ['rollback', 'app.a'],
      ['delete', 'app.a', '-v', '1'],
    ]) {
      expect(await status(...args), args.join(' ')).toBe(0);
    }
    for (const args of [
      ['delete', 'other'],
      ['label', 'other', 'live'],
      ['setup'],
      ['getall'],
      ['setup', '--deletion-protection'],
    ]) {
      expect(await status(...args), args.join(' ')).toBe(6);
    }
  });

  test('by context: only secrets that were put with it', async () => {
    const table = await newTable();
    await table.run([[['put', 'a', 'one', 'env=prod']], [['put', 'b', 'two', 'env=test']]]);
    const { stdout } = await table.cs(['policy', 'reader', '--context', 'env=prod']);
    recorder.meddle = enforce([JSON.parse(stdout) as Policy]);
    expect(await table.cs(['get', 'a', 'env=prod'])).toMatchObject({ status: 0, stdout: 'one\n' });
    expect(await table.cs(['get', 'b', 'env=test'])).toMatchObject({ status: 6, stdout: '' });
  });

  test("a stranger's key of the same alias does not do", async () => {
    const table = await newTable();
    const { stdout } = await table.cs(['policy', 'reader']);
    const ask = (owner: string): boolean =>
      allows([JSON.parse(stdout) as Policy], {
        action: 'kms:Decrypt',
        resource: `arn:aws:kms:us-east-1:${owner}:key/x`,
        keys: {
          'kms:ResourceAliases': ['alias/credstash'],
          'aws:PrincipalAccount': '123456789012',
          'aws:ResourceAccount': owner,
        },
      });
    expect(ask('123456789012')).toBe(true);
    expect(ask('999999999999')).toBe(false);
  });
});
