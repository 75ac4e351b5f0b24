import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  awsPlace,
  dynalite,
  type Place,
  type Running,
  stored,
  vaultPlace,
} from '../end-to-end/backends.ts';
import { textOf } from '../support/documents.ts';
import { programMissing } from '../support/needed.ts';
import { NODES } from '../support/project.ts';
import { builtCommand, type Outcome, run, type RunOptions } from '../support/run.ts';
import { type Authority, CLOSED, makeAuthority, portOf, tlsFront } from '../support/tls.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * docs/reference/settings.md, "Node.js 20, 22, 24 and the single file": each row is observed on each of the four runtimes, and a cell
 * has the words for what was observed.
 */

const DOCUMENT = 'docs/reference/settings.md';
const HEADING = '## Node.js 20, 22, 24 and the single file';

/** A column of the table; `node` is undefined for the single file. */
interface Runtime {
  readonly name: string;
  readonly node?: string;
  readonly missing?: string | undefined;
}

const RUNTIMES: readonly Runtime[] = [
  {
    name: 'Node.js 20',
    node: process.execPath,
    missing: process.version.startsWith('v20.') ? undefined : 'the tests run on another release',
  },
  ...NODES.filter(({ name }) => /^Node.js 2/.test(name)),
  { name: 'single file' },
];

const folder = temporaryFolder();
let running: Running;
let vault: Place;
let plain: Place;
/** The same table, with DynamoDB behind TLS. */
let secure: Place;
let authority: Authority;
/** Signs nothing that is asked here. */
let other: Authority;
const servers: Server[] = [];

beforeAll(async () => {
  running = await dynalite.start();
  plain = await running.place();
  vault = vaultPlace(join(folder, 'vault'));
  for (const place of [plain, vault]) {
    expect(await place.cs(['put', 'db', 'secret'])).toEqual(stored('db'));
  }
  authority = makeAuthority(folder);
  other = makeAuthority(temporaryFolderIn('other'));
  const tls = await tlsFront(authority.issue(), running.dynamo ?? '');
  servers.push(tls);
  const url = `https://127.0.0.1:${portOf(tls)}`;
  secure = awsPlace(url, running.kms?.url ?? '', plain.args[1] ?? '');
});
afterAll(async () => {
  for (const server of servers) server.close();
  await running.close();
});

let count = 0;
function temporaryFolderIn(name: string): string {
  const path = join(folder, `${name}-${++count}`);
  mkdirSync(path);
  return path;
}

/** Runs the command on a runtime. */
function start(
  { node }: Runtime,
  place: Place,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const all = { ...options, env: { ...place.env, ...options.env } };
  if (node === undefined) return run([...place.args, ...args], all);
  vi.stubEnv('CREDSTASH_TEST_NODE', node);
  try {
    return run([...place.args, ...args], { ...all, executable: builtCommand });
  } finally {
    vi.unstubAllEnvs();
  }
}

/** Whether a `get` with these variables prints the secret. */
async function gets(runtime: Runtime, place: Place, env: Record<string, string>): Promise<boolean> {
  const { status, stdout } = await start(runtime, place, ['get', 'db'], { env });
  return status === 0 && stdout.toString() === 'secret\n';
}

const trusts = async (runtime: Runtime, env: Record<string, string>): Promise<boolean> =>
  gets(runtime, secure, env);

/** How a command ended that may be refused. */
function refusal({ status, signal, stderr }: Outcome): string {
  if (status === 0) return 'works';
  const isOurs = /^credstash: error: [^\n]+\ncredstash: hint: [^\n]+\n$/.test(stderr);
  if (isOurs) return 'an error with a hint';
  return signal !== null || (status ?? 0) > 128 ? 'Node.js aborts' : "Node.js's own error";
}

const asPidOne = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

/** A shell that ends a child whose parent has gone, and tells what becomes of it. */
const ORPHAN = `pid=$(sleep 0 >/dev/null & echo $!)
seen=0
while [ -e /proc/$pid ] && [ $seen -lt 20 ]; do
  if grep -q '^State:.Z' /proc/$pid/status 2>/dev/null; then seen=$((seen + 1)); fi
  sleep 0.02
done
if [ -e /proc/$pid ]; then echo zombie; else echo reaped; fi`;

/** What is observed for each row, in the words of its cells. */
const OBSERVE: Readonly<Record<string, (runtime: Runtime) => Promise<string>>> = {
  '`exec` and COMMAND': async (runtime) => {
    const look = ['exec', '--', 'sh', '-c', 'echo $$ $PPID'];
    const under = ['sh', '-c', 'echo $$; exec "$@"', 'sh'] as const;
    const { stdout } = await start(runtime, vault, look, { under });
    const [own, pid, parent] = stdout.toString().trim().split(/\s/);
    expect([pid, parent]).toContain(own);
    return pid === own ? 'is replaced by it' : 'is its parent';
  },
  'PID 1 of a container': async (runtime) => {
    const look = ['exec', '--', 'sh', '-c', 'echo $$'];
    const { stdout } = await start(runtime, vault, look, { under: [...asPidOne] });
    return stdout.toString() === '1\n' ? 'COMMAND' : 'credstash';
  },
  'orphans there': async (runtime) => {
    const look = ['exec', '--', 'bash', '-c', ORPHAN];
    const { stdout } = await start(runtime, vault, look, { under: [...asPidOne] });
    return stdout.toString() === 'zombie\n' ? 'stay as zombies' : 'are for COMMAND to reap';
  },
  'descriptors 3, 17 and 20': async (runtime) => {
    const each = 'for path in /proc/$$/fd/*; do fd=${path##*/}; [ $fd -gt 2 ] && [ $fd -lt 255 ]';
    const open = 'exec 3</dev/null 17</dev/null 20</dev/null';
    const under = [
      ...['bash', '-c', `${each} && eval "exec $fd<&-"; done; ${open}; exec "$@"`, 'bash'],
    ] as [string, ...string[]];
    const look = ['exec', '--', 'bash', '-c', `${each} && [ -e $path ] && echo $fd; done; :`];
    const { stdout } = await start(runtime, vault, look, { under });
    const got = stdout.toString().trim().split('\n').filter(Boolean);
    return got.length === 0 ? 'none is passed on' : `${got.join(' and ')} are passed on`;
  },
  '`AWS_CA_BUNDLE`': async (runtime) => {
    const extra = { NODE_EXTRA_CA_CERTS: authority.path };
    expect(await trusts(runtime, {})).toBe(false);
    expect(await trusts(runtime, { AWS_CA_BUNDLE: authority.path })).toBe(true);
    const both = await trusts(runtime, { ...extra, AWS_CA_BUNDLE: other.path });
    return both ? 'adds' : 'replaces';
  },
  '`NODE_EXTRA_CA_CERTS`': async (runtime) =>
    (await trusts(runtime, { NODE_EXTRA_CA_CERTS: authority.path })) ? 'adds' : 'no effect',
  '`SSL_CERT_FILE`, `SSL_CERT_DIR`': async (runtime) => {
    const path = temporaryFolderIn('certificates');
    copyFileSync(authority.path, join(path, 'authority.pem'));
    execFileSync('openssl', ['rehash', path]);
    const file = await trusts(runtime, { SSL_CERT_FILE: authority.path });
    const dir = await trusts(runtime, { SSL_CERT_DIR: path });
    return file || dir ? 'adds' : 'no effect';
  },
  '`NODE_USE_SYSTEM_CA=1`': async (runtime) => {
    // A file in the place of the system's.
    const env = { NODE_USE_SYSTEM_CA: '1', SSL_CERT_FILE: authority.path };
    return (await trusts(runtime, env)) ? "adds the system's" : 'no effect';
  },
  '`HTTPS_PROXY`': async (runtime) => {
    const env = { HTTPS_PROXY: CLOSED, AWS_CA_BUNDLE: authority.path };
    return (await trusts(runtime, env)) ? 'ignored' : 'used';
  },
  '`NODE_DEBUG=http`': async (runtime) => {
    const env = { NODE_DEBUG: 'http' };
    const ended = await start(runtime, plain, ['get', 'db'], { env });
    if (ended.status !== 0) return ended.status === 2 ? refusal(ended) : 'fails';
    expect(ended.stderr).toMatch(
      /^\(node:\d+\) Warning: Setting the NODE_DEBUG environment variable to 'http' [^\n]*\n\(Use [^\n]*\n$/,
    );
    return "Bun's warning only";
  },
  '`NODE_OPTIONS`': async (runtime) => {
    const path = temporaryFolderIn('required');
    const code = join(path, 'code.cjs');
    writeFileSync(code, `require('node:fs').writeFileSync(${JSON.stringify(`${code}.ran`)}, '')`);
    expect(await gets(runtime, vault, { NODE_OPTIONS: `--require ${code}` })).toBe(true);
    return existsSync(`${code}.ran`) ? 'obeyed' : 'not read';
  },
  '`--permission`': async (runtime) => {
    const name = runtime.name === 'Node.js 20' ? '--experimental-permission' : '--permission';
    const env = { NODE_OPTIONS: name };
    const ended = await start(runtime, vault, ['get', 'db'], { env });
    return ended.status === 0 ? 'not read' : refusal(ended);
  },
  '`get -o`, with every permission': async (runtime) => {
    const name = runtime.name === 'Node.js 20' ? '--experimental-permission' : '--permission';
    const grants = '--allow-fs-read=* --allow-fs-write=* --allow-child-process --allow-worker';
    const env = { NODE_OPTIONS: `${name} ${grants}` };
    const out = join(temporaryFolderIn('out'), 'db');
    const ended = await start(runtime, plain, ['get', 'db', '-o', out], { env });
    if (ended.status !== 0) return 'refused';
    expect(readFileSync(out, 'utf8')).toBe('secret');
    return 'works';
  },
  'the vault, with `--no-addons`': async (runtime) =>
    refusal(await start(runtime, vault, ['get', 'db'], { env: { NODE_OPTIONS: '--no-addons' } })),
  '`BUN_OPTIONS`': async (runtime) =>
    (await gets(runtime, vault, { BUN_OPTIONS: '--version' })) ? 'no effect' : 'obeyed',
  '`BUN_BE_BUN=1`': async (runtime) =>
    (await gets(runtime, vault, { BUN_BE_BUN: '1' })) ? 'no effect' : 'it is Bun',
  '`BUN_INSPECT`': async (runtime) => {
    const env = { BUN_INSPECT: 'ws://127.0.0.1:0/x' };
    const { status } = await start(runtime, vault, ['get', 'db'], { env });
    return status === 0 ? 'no effect' : `status ${status ?? ''}`;
  },
  'a deleted working folder': async (runtime) => {
    const under = ['sh', '-c', 'mkdir gone; cd gone; rmdir ../gone; exec "$@"', 'sh'] as const;
    return refusal(await start(runtime, vault, ['get', 'db'], { under }));
  },
  '`ulimit -n 12`': async (runtime) => {
    const under = ['sh', '-c', 'ulimit -c 0; ulimit -n 12; exec "$@"', 'sh'] as const;
    return refusal(await start(runtime, vault, ['get', 'db'], { under }));
  },
  'a cache of compiled code': async (runtime) => {
    const path = temporaryFolderIn('cache');
    const env = { XDG_CACHE_HOME: path };
    for (const _ of [1, 2]) expect(await gets(runtime, vault, env)).toBe(true);
    const files = readdirSync(path, { recursive: true, encoding: 'utf8' });
    return files.some((name) => name.endsWith('.cache')) ? 'in `~/.cache`' : 'none';
  },
};

/** The table's rows, by the words of their first cell. */
function readTable(): { readonly columns: string[]; readonly rows: Map<string, string[]> } {
  const [, section = ''] = textOf(DOCUMENT).split(`${HEADING}\n`);
  const [table = ''] = /(?:^\|.*\n)+/m.exec(section) ?? [];
  const [header = [], , ...rows] = table
    .trimEnd()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return {
    columns: header.slice(1),
    rows: new Map(rows.map(([title = '', ...cells]) => [title, cells])),
  };
}

const { columns, rows } = readTable();

test('the table has a column for each runtime, and a row for each observation', () => {
  expect(columns).toEqual(RUNTIMES.map(({ name }) => name));
  expect([...rows.keys()].toSorted()).toEqual(Object.keys(OBSERVE).toSorted());
});

const present = RUNTIMES.filter(({ name, missing }) => {
  if (missing === undefined) return true;
  if (process.env.CI) throw new Error(`CI must test ${name}: ${missing}`);
  process.stderr.write(`!!!! LEFT OUT: the table of runtimes on ${name}: ${missing}\n`);
  return false;
});

const pidMissing = programMissing('unshare', '--pid', '--fork', 'true');
if (pidMissing !== undefined && process.env.CI) throw new Error(pidMissing);

const NEED_PID = ['PID 1 of a container', 'orphans there'];
const tried = [...rows].filter(([title]) => {
  if (pidMissing === undefined || !NEED_PID.includes(title)) return true;
  process.stderr.write(`!!!! LEFT OUT: ${title}: ${pidMissing}\n`);
  return false;
});

describe.each(tried)('%s', (title, cells) => {
  test.each(present)('$name', async (runtime) => {
    const observed = await OBSERVE[title]?.(runtime);
    expect(observed).toBe(cells[columns.indexOf(runtime.name)]);
  });
});
