import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DescribeKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { createTable, putManyRaw, type RawItem, scanRaw } from '../support/dynamo.ts';
import { ACCOUNT, allows, asked, contextKeys, type PolicyDocument } from '../support/iam.ts';
import type { KmsServer } from '../support/kms-server.ts';
import { pty, type RunOptions } from '../support/run.ts';
import { testCredential } from '../support/sigv4.ts';
import { awsError, type Meddle, type Recorder, startRecorder } from '../support/recorder.ts';
import { tableExtras } from '../support/table-extras.ts';
import { awsPlace, backends, dynamoLocal, type Ended, runHere, type Running } from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** The rows of the table in docs/reference/permissions.md: of a command, whose policies it needs, and what it calls. */
const DOCUMENT = readFileSync(
  join(import.meta.dirname, '../../docs/reference/permissions.md'),
  'utf8',
);
const ROWS = DOCUMENT.replace(/^[^]*\n## Which command needs which\n/, '')
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
type Line = [args: string[], status?: number, says?: string, input?: string];

interface Case {
  /** What is there before, as nobody in particular. */
  readonly before?: Line[];
  readonly lines: Line[];
}

const folder = temporaryFolder();
const template = join(folder, 'template');
writeFileSync(template, '{{ credstash://a }}');

const two: Line[] = [[['put', 'a', 'one']], [['put', 'a', 'two', '-a']]];
const labelled: Line[] = [...two, [['label', 'a', 'live', '-v', '1']]];
const original: Line[] = [[['put', 'a', 'one', '--cipher', 'AES-256-CTR']]];

/** Whether a command line ended as it should. */
function endedWell(ended: Ended | undefined, [, status = 0, says = '']: Line): boolean {
  return ended?.status === status && ended.stdout.includes(says);
}

/** The command lines of each row. `TABLE` is a table of its own. */
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
  'find GLOB': {
    before: two,
    lines: [
      [['find', 'a*'], 0, 'a\n', 'two'],
      [['find', '--all-versions'], 0, 'a', 'one'],
    ],
  },
  'find NAME': { before: two, lines: [[['find', 'a'], 0, 'a\n', 'two']] },
  'find NAME --all-versions': {
    before: two,
    lines: [[['find', 'a', '--all-versions'], 0, 'a -- version 0000000000000000001', 'one']],
  },
  history: { before: two, lines: [[['history', 'a']]] },
  'put NAME': { lines: [[['put', 'a', 'one']], [['put', 'a', 'two'], 4]] },
  'put NAME -v V': {
    lines: [[['put', 'a', 'one', '-v', '2']], [['put', 'a', 'two', '-v', '2'], 4]],
  },
  'put NAME -a': { before: two, lines: [[['put', 'a', 'three', '-a']], [['put', 'b', 'x', '-a']]] },
  'put NAME --field F': {
    before: [[['put', 'a', '{"k":"v"}']]],
    lines: [[['put', 'a', 'x', '--field', 'f']], [['put', 'a', '--unset', 'k']]],
  },
  'put NAME --if-missing': {
    before: two,
    lines: [[['put', 'a', 'x', '--if-missing']], [['put', 'new', '--generate', '--if-missing']]],
  },
  'put NAME --label L': {
    before: labelled,
    lines: [
      [['put', 'a', 'three', '-a', '--label', 'live']],
      [['put', 'a', 'two', '--label', 'live'], 4],
    ],
  },
  'completion of names': {
    before: two,
    lines: [[['__complete', 'fish', '--', '-t', 'TABLE', 'get', ''], 0, 'a\t']],
  },
  putall: { lines: [[['putall', '{"a": "one", "b": "two"}']], [['putall', '{"a": "x"}'], 4]] },
  'putall -v V': {
    before: two,
    lines: [[['putall', '-v', '0', '{"a": "late"}']], [['putall', '-v', '0', '{"a": "x"}'], 4]],
  },
  'putall -a': { before: two, lines: [[['putall', '-a', '{"a": "three"}']]] },
  'putall --skip-unchanged': {
    before: [[['put', 'a', 'one']]],
    lines: [
      [['putall', '--skip-unchanged', '{"a": "one", "b": "two"}']],
      [['putall', '-a', '--skip-unchanged', '{"a": "one", "b": "two", "c": "three"}']],
      [['putall', '--skip-unchanged', '{"a": "other"}'], 4],
    ],
  },
  edit: { before: two, lines: [[['edit', 'a']], [['edit', 'a', '-v', '1']]] },
  rollback: { before: two, lines: [[['rollback', 'a']], [['rollback', 'a', '-v', '2']]] },
  'rollback --label L': {
    before: labelled,
    lines: [[['rollback', 'a', '--label', 'live']]],
  },
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
  'prune --no-verify': {
    before: [...labelled, [['put', 'a', 'three', '-a']]],
    lines: [[['prune', '--keep', '1', '--no-verify']]],
  },
  rekey: { before: two, lines: [[['rekey', '-k', 'alias/new', '-y']]] },
  migrate: { before: original, lines: [[['migrate']], [['migrate', '--cipher', 'AES-256-CTR']]] },
  'copy --to-table T': {
    before: labelled,
    lines: [[['copy', '--to-table', 'TABLE-other']], [['copy', '--to-table', 'TABLE-other']]],
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
  policy: { lines: [[['policy', 'reader']], [['policy', 'setup']]] },
};

/** Calls of no request that a command makes by itself: credentials, and what another service does for KMS. */
const INDIRECT = ['iam:CreateServiceLinkedRole', 'sts:GetCallerIdentity'];

test('every row of docs/reference/permissions.md has its command lines here, and the reverse', () => {
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
    await Promise.all([running.close(), recorder.close()]);
  });
  beforeEach(() => {
    recorder.meddle = extras.meddle;
  });

  const keyArn = (alias: string): string =>
    kms.keys().find(({ id }) => kms.aliasesOf(id).includes(alias))?.arn ?? 'none';

  /** What was called under the policies, which are enforced; what they do not allow is answered as denied. */
  const calls: string[] = [];
  const enforce = (policies: readonly PolicyDocument[]): Meddle => {
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
    readonly cs: (args: readonly string[], options?: RunOptions) => Promise<Ended>;
    readonly policies: (...roles: readonly string[]) => Promise<PolicyDocument[]>;
    /** Runs the lines one after the other, and no more once one has not ended as it should. */
    readonly run: (lines: readonly Line[]) => Promise<Ended[]>;
    /** Holds what these lines have stored. */
    readonly fill: (lines: readonly Line[]) => Promise<void>;
  }

  /** What `policy` prints with these arguments on the table named TABLE, which it asks nothing of. */
  const printed = new Map<string, string>();
  const print = async (args: readonly string[]): Promise<string> => {
    const known = printed.get(args.join(' '));
    if (known !== undefined) return known;
    const { cs } = awsPlace(recorder.url, recorder.url, 'TABLE', runHere);
    const { stdout, stderr } = await cs(['policy', '--account', ACCOUNT, ...args]);
    expect(stderr).toBe('');
    printed.set(args.join(' '), stdout);
    return stdout;
  };

  /** The items that command lines have stored. */
  const filled = new Map<string, RawItem[]>();

  /** A table of its own, and where a test copies, a second one. */
  const newTable = async ({ hasOther = false } = {}): Promise<Table> => {
    const dynamo = running.dynamo ?? '';
    const table = `permissions-${++count}`;
    await createTable(dynamo, table);
    if (hasOther) await createTable(dynamo, `${table}-other`);
    const { cs } = awsPlace(recorder.url, recorder.url, table, runHere);
    const words = (args: readonly string[]): string[] =>
      args.map((arg) => arg.replace('TABLE', table).replace('FOLDER', join(folder, table)));
    const run: Table['run'] = async (lines) => {
      const ended: Ended[] = [];
      for (const line of lines) {
        const [args, , , input] = line;
        const env = { EDITOR: 'sh -c \'date +%N >"$1"\' sh', XDG_RUNTIME_DIR: folder };
        const last = await cs(words(args), {
          ...(args[0] === 'edit' ? { env } : {}),
          ...(input === undefined ? {} : { input }),
        });
        ended.push(last);
        if (!endedWell(last, line)) break;
      }
      return ended;
    };
    const fill: Table['fill'] = async (lines) => {
      const known = filled.get(JSON.stringify(lines));
      if (known !== undefined) {
        await putManyRaw(dynamo, table, known);
        return;
      }
      for (const { status, stderr } of await run(lines)) {
        expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      }
      filled.set(JSON.stringify(lines), await scanRaw(dynamo, table));
    };
    const policies: Table['policies'] = async (...roles) => {
      const lines: string[][] = [];
      // Of every table and key that the command line is about, as the document has it.
      for (const role of roles) {
        const key = role === 'admin' ? ['-k', keyArn('alias/credstash')] : [];
        lines.push([role, ...key]);
        if (role === 'reader' || role === 'writer') continue;
        for (const each of ['TABLE-other', 'TABLE-new']) lines.push([role, '-t', each, ...key]);
        const others =
          role === 'admin' ? [keyArn('alias/new')] : ['alias/TABLE', 'alias/TABLE-many'];
        for (const each of others) lines.push([role, '-k', each]);
      }
      const texts: string[] = [];
      for (const line of lines) texts.push(await print(line));
      return texts.map((text) => JSON.parse(text.replaceAll('TABLE', table)) as PolicyDocument);
    };
    return { cs, policies, run, fill };
  };

  test.each(ROWS)('$command', async ({ command, roles, calls: promised }) => {
    const { before = [], lines } = CASES[command] ?? { lines: [] };
    /** What the command lines say under the policies of these roles; on a table of their own. */
    const under = async (all: readonly string[]): Promise<Ended[]> => {
      const table = await newTable({ hasOther: lines.flat(2).includes('TABLE-other') });
      recorder.meddle = extras.meddle;
      await table.fill(before);
      recorder.meddle = enforce(await table.policies(...all));
      return table.run(lines);
    };
    /** Whether each ended as it should. */
    const wentWell = (ended: readonly Ended[]): boolean =>
      lines.every((line, i) => endedWell(ended[i], line));
    for (const all of roles) {
      const ended = await under(all);
      expect(wentWell(ended), JSON.stringify(ended)).toBe(true);
      // The document promises these, no more and no less.
      expect([...new Set(calls)].sort()).toEqual(promised);
    }
    // No other role would do by itself, except that an admin is also a reader and a writer.
    for (const role of promised.length === 0 ? [] : ['reader', 'writer', 'admin', 'setup']) {
      const isSetup = roles.some((each) => each.includes('setup'));
      if (role === 'admin' && !isSetup) continue;
      if (roles.some((all) => all.length === 1 && all[0] === role)) continue;
      expect(wentWell(await under([role])), `${command} as ${role}`).toBe(false);
    }
  });

  test('the least: every action of a policy is one that a command calls', async () => {
    const table = await newTable();
    for (const role of ['reader', 'writer', 'admin', 'setup']) {
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

  test('doctor ends well under the policies of a reader and of an admin, and tells a writer what is denied', async () => {
    const doctor = async (args: string[], ...roles: string[]): Promise<Ended> => {
      const table = await newTable();
      recorder.meddle = enforce(await table.policies(...roles));
      return table.cs(['doctor', ...args]);
    };
    expect(await doctor([], 'reader')).toMatchObject({ status: 0, stderr: '' });
    expect(await doctor(['--write'], 'admin')).toMatchObject({ status: 0, stderr: '' });
    const writer = await doctor([], 'writer');
    expect(writer).toMatchObject({ status: 6 });
    expect(writer.stdout).toMatch(/^failed +reader .*dynamodb:Scan/m);
    expect(writer.stdout).toMatch(/^failed +data key .*kms:Decrypt/m);
    expect(writer.stdout.match(/^failed /gm)).toHaveLength(2);
  });

  test('by name: what matches works, and nothing else does', async () => {
    const table = await newTable();
    await table.run([
      [['put', 'app.a', 'one']],
      [['put', 'other', 'x']],
      [['put', 'app.old', 'y', '--cipher', 'AES-256-CTR']],
    ]);
    const named = async (role: string, ...args: string[]): Promise<void> => {
      recorder.meddle = extras.meddle;
      const { stdout } = await table.cs(['policy', role, ...args]);
      recorder.meddle = enforce([JSON.parse(stdout) as PolicyDocument]);
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
    await named('admin', '--name', 'app.*', '-k', keyArn('alias/credstash'));
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

  test('by context: secrets that were put with exactly these pairs', async () => {
    const table = await newTable();
    await table.run([
      [['put', 'a', 'one', 'env=prod']],
      [['put', 'old', 'one', 'env=prod', '--cipher', 'AES-256-CTR']],
      [['put', 'b', 'two', 'env=test']],
      [['put', 'c', 'two', 'ENV=prod']],
      [['put', 'd', 'two', 'env=prod', 'team=x']],
      [['put', 'e', 'two']],
    ]);
    const { stdout } = await table.cs(['policy', 'reader', '--context', 'env=prod']);
    recorder.meddle = enforce([JSON.parse(stdout) as PolicyDocument]);
    for (const name of ['a', 'old']) {
      const got = await table.cs(['get', name, 'env=prod']);
      expect(got).toMatchObject({ status: 0, stdout: 'one\n' });
    }
    for (const args of [['b', 'env=test'], ['c', 'ENV=prod'], ['d', 'env=prod', 'team=x'], ['e']]) {
      expect(await table.cs(['get', ...args]), args.join()).toMatchObject({
        status: 6,
        stdout: '',
      });
    }
  });

  test('by name and context: the policies of several sets of pairs, all attached', async () => {
    const table = await newTable();
    await table.run([
      [['put', 'app.a', 'one']],
      [['put', 'app.b', 'two', 'env=prod']],
      [['put', 'app.c', 'three', 'env=test']],
      [['put', 'other', 'four', 'env=prod']],
    ]);
    const policies: PolicyDocument[] = [];
    for (const pairs of [[], ['--context', 'env=prod']]) {
      const { stdout } = await table.cs(['policy', 'reader', '--name', 'app.*', ...pairs]);
      policies.push(JSON.parse(stdout) as PolicyDocument);
    }
    recorder.meddle = enforce(policies);
    expect(await table.cs(['get', 'app.a'])).toMatchObject({ status: 0, stdout: 'one\n' });
    expect(await table.cs(['get', 'app.b', 'env=prod'])).toMatchObject({ status: 0 });
    expect(await table.cs(['get', 'app.c', 'env=test'])).toMatchObject({ status: 6 });
    expect(await table.cs(['get', 'other', 'env=prod'])).toMatchObject({ status: 6 });
  });

  test('setup works before policies see the new alias, and after a lost answer', async () => {
    const table = await newTable();
    for (const [i, isStale] of [true, false].entries()) {
      const alias = `alias/fresh-${count}-${i}`;
      const { stdout } = await table.cs(['policy', 'setup', '-k', alias]);
      const policies = [JSON.parse(stdout) as PolicyDocument];
      let lost = 0;
      recorder.meddle = async (action, answer, sent, headers) => {
        const asks = asked(action, 'us-east-1', sent, kms).map((ask) => {
          const { 'kms:ResourceAliases': _, ...others } = ask.keys;
          return isStale ? { ...ask, keys: others } : ask;
        });
        if (!asks.every((each) => allows(policies, each))) {
          return awsError('AccessDeniedException', `not allowed: ${action}`);
        }
        if (action !== 'KMS.CreateAlias' || lost++ > 0) {
          return extras.meddle(action, answer, sent, headers);
        }
        await answer();
        return awsError('KMSInternalException', 'lost', 500);
      };
      const ended = await table.cs(['setup', '--create-key', '-k', alias]);
      expect(ended).toMatchObject({ status: 0, stderr: '' });
      expect(ended.stdout).toContain(alias);
      expect(lost).toBe(2);
    }
  });

  test('by name: the policy says what it denies, and what is denied says how to name secrets', async () => {
    const table = await newTable();
    await table.run([[['put', 'app.a', 'one']]]);
    recorder.meddle = extras.meddle;
    const reader = await table.cs(['policy', 'reader', '--name', 'app.*']);
    expect(reader.stderr).toMatch(/^credstash: note: this allows no dynamodb:Scan, [^\n]*\n$/);
    expect((await table.cs(['policy', 'writer', '--name', 'app.*'])).stderr).toBe('');
    expect((await table.cs(['policy', 'reader'])).stderr).toBe('');
    recorder.meddle = enforce([JSON.parse(reader.stdout) as PolicyDocument]);
    const hint = (ended: Ended): string => /hint: (.*)/.exec(ended.stderr)?.[1] ?? '';
    const exec = await table.cs(['exec', 'app.*', '--', 'true']);
    expect(exec).toMatchObject({ status: 6, stdout: '' });
    expect(hint(exec)).toContain('--env NAME=SECRET, or references in the environment');
    for (const args of [
      ['get', 'app.*'],
      ['getall', '-f', 'json'],
    ]) {
      const denied = await table.cs(args);
      expect(denied).toMatchObject({ status: 6, stdout: '' });
      expect(hint(denied)).toMatch(/credstash .*get NAME NAME -f FORMAT/);
    }
    // What the note and the hints name instead.
    expect((await table.cs(['exec', '--env', 'A=app.a', '--', 'printenv', 'A'])).status).toBe(0);
    expect((await table.cs(['get', 'app.a', 'app.a', '-f', 'json'])).status).toBe(0);
    expect((await table.cs(['get', 'app.a'])).status).toBe(0);
  });

  test('on a terminal the policy of setup says how long to attach it, and only that one', async () => {
    const { cs, args, env } = awsPlace(recorder.url, recorder.url, 'permissions', runHere);
    const onTerminal = async (role: string): Promise<string> =>
      (await pty([...args, 'policy', role], { env }).done).output;
    const note = 'credstash: warning: attach this policy for the hour of the setup, then detach it';
    expect(await onTerminal('setup')).toContain(note);
    expect(await onTerminal('reader')).not.toContain('warning');
    const { stdout, stderr } = await cs(['policy', 'setup']);
    expect(stderr).toBe('');
    const { Statement } = JSON.parse(stdout) as { Statement: { Sid: string }[] };
    for (const { Sid } of Statement) expect(Sid).toMatch(/ForAnHour$/);
  });

  test('a writer whose change of a field is denied follows the hint to a policy that allows it, and nothing more', async () => {
    const table = await newTable();
    await table.run([[['put', 'a', '{"k":"v","old":1}']]]);
    recorder.meddle = enforce(await table.policies('writer'));
    const change = ['put', 'a', '--field', 'k', 'new'];
    const denied = await table.cs(change);
    expect(denied).toMatchObject({ status: 6, stdout: '' });
    const [, command = ''] =
      /hint: .*?: credstash (.*?) prints the rights\n/.exec(denied.stderr) ?? [];
    expect(command).toMatch(/policy writer --fields$/);
    const printed = await table.cs(command.split(' '));
    expect(printed).toMatchObject({ status: 0 });
    recorder.meddle = enforce([JSON.parse(printed.stdout) as PolicyDocument]);
    expect(await table.cs(change)).toMatchObject({ status: 0 });
    expect(await table.cs(['put', 'a', '--unset', 'old'])).toMatchObject({ status: 0 });
    expect(await table.cs(['put', 'new', '--field', 'k', 'x'])).toMatchObject({ status: 0 });
    expect(await table.cs(['get', 'a'])).toMatchObject({ status: 0, stdout: '{"k":"new"}\n' });
    for (const args of [['delete', 'a'], ['getall'], ['label', 'a', 'live']]) {
      expect(await table.cs(args), args.join(' ')).toMatchObject({ status: 6 });
    }
  });

  test("the policy of an admin without the key's ARN is refused, and the hint leads to one that works", async () => {
    const table = await newTable();
    const refused = await table.cs(['policy', 'admin', '--account', ACCOUNT]);
    expect(refused).toMatchObject({ status: 2, stdout: '' });
    const [, key = '', query = '', region = ''] =
      /hint: .*: aws kms describe-key --key-id (\S+) --query (\S+) --output text --region (\S+)\n$/.exec(
        refused.stderr,
      ) ?? [];
    expect(query).toBe('KeyMetadata.Arn');
    const client = new KMSClient({
      region,
      endpoint: recorder.url,
      credentials: testCredential,
    });
    const { KeyMetadata: described } = await client.send(new DescribeKeyCommand({ KeyId: key }));
    client.destroy();
    const printed = await table.cs(['policy', 'admin', '-k', described?.Arn ?? '']);
    await table.run([[['put', 'a', 'one']]]);
    recorder.meddle = enforce([JSON.parse(printed.stdout) as PolicyDocument]);
    expect(await table.cs(['get', 'a'])).toMatchObject({ status: 0, stdout: 'one\n' });
    const steps = (await table.cs(['doctor', '--write'])).stdout;
    expect(steps).toMatch(/^ok +canary/m);
    // It may look at all that there is to see.
    expect(steps).not.toMatch(/AccessDenied|not allowed/);
  });

  test("the document's Deny stops whatever is done without the name, and nothing else", async () => {
    const [, block = ''] = /```json\n([^]*?)\n```/.exec(DOCUMENT) ?? [];
    const deny = JSON.parse(block) as PolicyDocument['Statement'][number];
    const all = { Effect: 'Allow', Action: '*', Resource: '*' } as const;
    const policies = [{ Statement: [all, deny] }];
    const named = { 'credstash:name': 'a' };
    const may = (action: string, context: Readonly<Record<string, string>>): boolean =>
      allows(policies, { action, resource: 'arn:x', keys: contextKeys(context) });
    for (const action of [
      ...['kms:Decrypt', 'kms:Encrypt', 'kms:ReEncryptFrom', 'kms:ReEncryptTo'],
      ...['kms:GenerateDataKey', 'kms:GenerateDataKeyWithoutPlaintext', 'kms:GenerateDataKeyPair'],
    ]) {
      expect(may(action, named)).toBe(true);
      expect(may(action, { ...named, env: 'prod' })).toBe(true);
      for (const context of [{}, { env: 'prod' }, { 'Credstash:Name': 'a' }, { name: 'a' }]) {
        expect(may(action, context), `${action} ${JSON.stringify(context)}`).toBe(false);
      }
    }
    for (const action of ['kms:DescribeKey', 'kms:CreateAlias', 'kms:EnableKeyRotation']) {
      expect(may(action, {})).toBe(true);
    }

    const table = await newTable();
    const original = ['--cipher', 'AES-256-CTR'];
    await table.run([[['put', 'a', 'one']], [['put', 'old', 'one', ...original]]]);
    recorder.meddle = enforce(policies);
    expect(await table.cs(['get', 'a'])).toMatchObject({ status: 0 });
    expect(await table.cs(['put', 'b', 'two', 'env=prod'])).toMatchObject({ status: 0 });
    expect(await table.cs(['rekey', '-k', 'alias/new', '-y', 'a'])).toMatchObject({ status: 0 });
    for (const args of [
      ['get', 'old'],
      ['put', 'old', 'two', '-a', ...original],
      ['rekey', '-k', 'alias/new', '-y', 'old'],
      ['migrate', '-y', 'old'],
    ]) {
      expect(await table.cs(args), args.join(' ')).toMatchObject({ status: 6 });
    }
  });

  test("a stranger's key of the same alias does not do", async () => {
    const table = await newTable();
    const { stdout } = await table.cs(['policy', 'reader']);
    const ask = (owner: string): boolean =>
      allows([JSON.parse(stdout) as PolicyDocument], {
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
