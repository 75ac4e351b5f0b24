import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchNodecredstash } from '../scripts/tools.js';
import { memoryHook } from './memory.js';
import { plot } from './plot.js';

/*
 * Measures how long whole processes take, as ratios to `node -e 0` in one run. The candidates of a table take turns, so that
 * other work of the machine slows all of them alike.
 *
 *     npm run bench                 every table, into bench/RESULTS.md and bench/startup.svg
 *     npm run bench -- --rounds 5   quicker, and rougher; writes nothing
 *     npm run bench -- --goals      only the goals and the library (bench/goals.js); replaces these sections of bench/RESULTS.md
 *     npm run bench -- --growth     only what a table costs as it grows; replaces these sections of bench/RESULTS.md
 *     npm run bench -- --growth --before FILE   and compares with the command of another build, its dist/bin/credstash.cjs
 */
const root = join(import.meta.dirname, '..');
const at = process.argv.indexOf('--rounds');
const quick = at !== -1;
const beforeAt = process.argv.indexOf('--before');
const before = beforeAt === -1 ? undefined : process.argv[beforeAt + 1];
const ROUNDS = quick ? Number(process.argv[at + 1]) : 21;

const startLoad = load();
const folder = mkdtempSync(join(tmpdir(), 'credstash-bench-'));
const home = join(folder, 'home');
mkdirSync(home);
const built = join(root, 'dist/bin/credstash.cjs');
const standalone = join(root, 'dist/standalone/credstash');

/** An environment without this machine's settings. NODE_EXTRA_CA_CERTS by itself would add 49 ms. */
const env = {
  PATH: process.env.PATH ?? '',
  HOME: home,
  XDG_CACHE_HOME: join(folder, 'cache'),
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'us-east-1',
  AWS_EC2_METADATA_DISABLED: 'true',
};

/**
 * @typedef {object} Candidate
 * @property {string} name
 * @property {readonly string[]} command
 * @property {Record<string, string>} [env]
 * @property {string | Uint8Array} [input]
 * @property {() => void} [before] done before each round, and not measured
 * @property {number} [status]
 */

/** @typedef {{ name: string, min: number, median: number, max: number, ratio: number, memory: number }} Row */

/** @param {Candidate} candidate @param {Record<string, string>} [more] */
function once({ name, command, input, ...rest }, more = {}) {
  rest.before?.();
  const [program = '', ...args] = command;
  const start = process.hrtime.bigint();
  const { status, stderr } = spawnSync(program, args, {
    env: { ...env, ...rest.env, ...more },
    input: input ?? '',
    maxBuffer: 1 << 30,
    cwd: folder,
  });
  const took = Number(process.hrtime.bigint() - start) / 1e6;
  if (status !== (rest.status ?? 0)) {
    throw new Error(`${name} ended in ${String(status)}: ${stderr.toString()}`);
  }
  return took;
}

/** Peak memory in MB: a hook writes it when a Node.js process ends; GNU time measures the others.
 * @param {Candidate} candidate */
function memoryOf(candidate) {
  const report = join(folder, 'memory');
  rmSync(report, { force: true });
  if (candidate.command[0]?.endsWith('/node')) {
    const hook = join(folder, 'memory.cjs');
    writeFileSync(hook, memoryHook(report));
    // Twice: with other flags, the first start makes a code cache of its own.
    for (const _ of [1, 2]) once(candidate, { NODE_OPTIONS: `--require ${hook}` });
  } else if (existsSync('/usr/bin/time')) {
    once({
      ...candidate,
      command: ['/usr/bin/time', '-f', '%M', '-o', report, ...candidate.command],
    });
  } else return NaN;
  return Number(readFileSync(report, 'utf8').trim().split('\n').at(-1)) / 1024;
}

/** @param {number[]} sorted */
const middle = (sorted) => sorted[sorted.length >> 1] ?? NaN;

/**
 * @param {string} title
 * @param {Candidate[]} candidates the first one is the floor
 * @param {number} [rounds]
 */
function table(title, candidates, rounds = ROUNDS) {
  /** @type {Map<string, number[]>} */
  const times = new Map(candidates.map(({ name }) => [name, []]));
  // Twice: the second start writes the code cache.
  for (const candidate of [...candidates, ...candidates]) once(candidate);
  for (let round = 0; round < rounds; round += 1) {
    for (const candidate of candidates) {
      times.get(candidate.name)?.push(once(candidate));
    }
  }
  const floor = middle((times.get(candidates[0]?.name ?? '') ?? []).sort((a, b) => a - b));
  /** @type {Row[]} */
  const rows = candidates.map((candidate) => {
    const sorted = (times.get(candidate.name) ?? []).sort((a, b) => a - b);
    return {
      name: candidate.name,
      min: sorted[0] ?? NaN,
      median: middle(sorted),
      max: sorted.at(-1) ?? NaN,
      ratio: middle(sorted) / floor,
      memory: memoryOf(candidate),
    };
  });
  const text = [
    `## ${title}`,
    '',
    '| command | min ms | median ms | max ms | ratio | peak MB |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...rows.map(
      (row) =>
        `| ${row.name} | ${row.min.toFixed(1)} | ${row.median.toFixed(1)} | ${row.max.toFixed(1)} | **${row.ratio.toFixed(2)}** | ${Number.isNaN(row.memory) ? '' : row.memory.toFixed(0)} |`,
    ),
    '',
  ].join('\n');
  process.stdout.write(`${text}\n`);
  return { rows, text };
}

/** @type {import('node:child_process').ChildProcess[]} */
const children = [];

/** Starts the servers. @param {string[]} args @returns {Promise<number>} their port */
async function servers(...args) {
  const child = spawn(process.execPath, [join(root, 'bench/servers.js'), ...args], {
    env: { PATH: env.PATH },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  for await (const line of child.stdout) return JSON.parse(String(line)).port;
  throw new Error('the servers did not start');
}

/** @param {string[]} args @param {Record<string, string>} [more] */
const node = (args, more) => ({
  name: `credstash ${args.filter((arg) => !arg.startsWith('--local')).join(' ')}`,
  command: [process.execPath, built, ...args],
  ...(more ? { env: more } : {}),
});

/** Secrets by name, as putall takes them. @param {number} count @param {number} bytes */
const secrets = (count, bytes) =>
  JSON.stringify(
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [
        `app.secret-${String(i).padStart(5, '0')}`,
        randomBytes(bytes / 2).toString('hex'),
      ]),
    ),
  );

/** Bundles only the two requests, as the command is bundled, behind the same launcher. */
function buildSdkRequests() {
  const dir = join(folder, 'sdk');
  execFileSync(process.execPath, [join(root, 'bench/bundle.js'), dir]);
  cpSync(built, join(dir, 'credstash.cjs'));
  return join(dir, 'credstash.cjs');
}

/** A script that gets a secret with the npm package nodecredstash 2. */
function nodecredstash() {
  const path = createRequire(fetchNodecredstash()).resolve('nodecredstash');
  const script = join(folder, 'nodecredstash.cjs');
  writeFileSync(
    script,
    `const Credstash = require(${JSON.stringify(path)});
const options = { region: 'us-east-1', endpoint: process.env.AWS_ENDPOINT_URL };
const credstash = new Credstash({ table: 'credential-store', awsOpts: options, dynamoOpts: options, kmsOpts: options });
credstash.getSecret({ name: 'original' }).then((secret) => console.log(secret), (error) => { console.error(error); process.exit(1); });
`,
  );
  return script;
}

try {
  execFileSync(process.execPath, [join(root, 'scripts/build.js')], { cwd: root, stdio: 'inherit' });
  if (process.argv.includes('--growth')) await measureGrowth();
  else if (process.argv.includes('--goals')) await measureGoals();
  else await measureAll();
} finally {
  for (const child of children) child.kill();
  await sleep(50);
  rmSync(folder, { recursive: true, force: true });
}

/** Builds the single file, if npm run test:tools fetched its tools. @returns whether it did */
function buildStandalone() {
  const hasTools = existsSync(join(root, '.cache/bun'));
  if (hasTools) {
    execFileSync(process.execPath, [join(root, 'scripts/build-standalone.js')], {
      stdio: 'inherit',
    });
  }
  return hasTools;
}

/** Measures the goals and the library. @returns {Promise<string[]>} their sections */
async function takeGoals() {
  const { goals } = await import('./goals.js');
  const rowAt = process.argv.indexOf('--row');
  const only = rowAt === -1 ? '' : (process.argv[rowAt + 1] ?? '');
  const tools = { once, memoryOf, servers, certificate, folder, standalone };
  return goals({ ...tools, rounds: ROUNDS, only });
}

/** Replaces the sections of the goals, which are the first ones of the results. */
async function measureGoals() {
  buildStandalone();
  const sections = await takeGoals();
  if (quick || process.argv.includes('--row')) return;
  const results = readFileSync(join(root, 'bench/RESULTS.md'), 'utf8');
  const start = results.search(/^## /m);
  const rest = results.slice(results.indexOf('## Start-up'));
  const when = `\`npm run bench -- --goals\` ${occasion()}.`;
  writeResults([results.slice(0, start), `${sections.join('\n')}\n${when}\n\n`, rest].join(''));
}

async function measureAll() {
  const hasStandalone = buildStandalone();
  const goalSections = await takeGoals();
  const port = await servers();
  const aws = { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
  const slow = { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}/10` };
  const vault = `--local=${join(folder, 'vault')}`;
  const off = { CREDSTASH_CODE_CACHE: '0' };
  /** @type {Candidate} */
  const floor = { name: 'node -e 0', command: [process.execPath, '-e', '0'] };

  once(node(['put', 'db', 'secret'], aws));
  once(node(['put', 'original', 'secret', '--cipher', 'AES-256-CTR'], aws));
  once(node([vault, 'put', 'db', 'secret']));
  let puts = 0;
  /** @param {string[]} before @param {Record<string, string>} [more] */
  const put = (before, more) => {
    const candidate = node([...before, 'put', 'x', 'secret', '-v', '0'], more);
    // A version of its own each time.
    const next = () => {
      candidate.command[candidate.command.length - 1] = String((puts += 1));
    };
    return { ...candidate, before: next };
  };
  const peer = nodecredstash();
  const sdkRequests = buildSdkRequests();
  // Its code cache has files of the same names.
  const withOwnCache = { ...aws, XDG_CACHE_HOME: join(folder, 'apart') };
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules/credstash-cli'));
  /** @param {string} name @param {string} file @param {string} text */
  const script = (name, file, text) => {
    writeFileSync(join(folder, file), text);
    return { name, command: [process.execPath, join(folder, file)] };
  };

  const startup = table('Start-up', [
    floor,
    node(['--version']),
    node(['--help']),
    { ...node(['get']), name: 'credstash get (a usage error)', status: 2 },
    { ...node([vault, 'get', 'db']), name: 'credstash get, vault' },
    { ...put([vault]), name: 'credstash put, vault' },
    { ...node(['get', 'db'], aws), name: 'credstash get, AWS' },
    { ...put([], aws), name: 'credstash put, AWS' },
    { ...node(['get', 'db'], { ...aws, ...off }), name: 'credstash get, AWS, no code cache' },
    {
      ...node(['get', 'db'], { ...aws, XDG_CACHE_HOME: join(folder, 'first') }),
      name: 'credstash get, AWS, first start',
      before: () => {
        rmSync(join(folder, 'first'), { recursive: true, force: true });
      },
    },
    {
      ...node(['get', 'db'], { ...aws, XDG_CACHE_HOME: join(folder, 'second') }),
      name: 'credstash get, AWS, second start (it writes the code cache)',
      before: () => {
        // Empty the folder, but keep it.
        const path = join(folder, 'second/credstash/code');
        for (const each of existsSync(path) ? readdirSync(path) : []) {
          rmSync(join(path, each), { recursive: true });
          mkdirSync(join(path, each), { mode: 0o700 });
        }
      },
    },
    // The floor of every command of this kind.
    {
      name: "only the SDK's two requests",
      command: [process.execPath, sdkRequests],
      env: withOwnCache,
    },
    {
      name: "only the SDK's two requests, no code cache",
      command: [process.execPath, sdkRequests],
      env: { ...withOwnCache, ...off },
    },
    script(
      'only libsql, one row of the vault',
      'libsql.cjs',
      `const Database = require(${JSON.stringify(createRequire(built).resolve('libsql'))});
new Database(${JSON.stringify(join(folder, 'vault/vault.db'))}).prepare('SELECT * FROM entries').get();`,
    ),
    ...(hasStandalone
      ? [
          { name: 'single file --version', command: [standalone, '--version'] },
          { name: 'single file get, vault', command: [standalone, vault, 'get', 'db'] },
          { name: 'single file get, AWS', command: [standalone, 'get', 'db'], env: aws },
        ]
      : []),
    script('an ES module with nothing in it', 'empty.mjs', ''),
    script("import 'credstash-cli'", 'import.mjs', "import 'credstash-cli';"),
    script("require('credstash-cli')", 'require.cjs', "require('credstash-cli');"),
    { name: 'nodecredstash 2 getSecret, as a script', command: [process.execPath, peer], env: aws },
  ]);

  const sections = [...goalSections, startup.text];
  // The releases that npm run test:tools fetched: SQLite is built in from Node.js 22 on.
  for (const release of ['22', '24']) {
    const other = join(root, `.cache/node${release}/bin/node`);
    if (!existsSync(other)) continue;
    /** @param {Candidate} candidate */
    const there = ({ command, ...candidate }) => ({
      ...candidate,
      command: [other, ...command.slice(1)],
    });
    sections.push(
      table(`Start-up on Node.js ${release}`, [
        there(floor),
        there(node(['--version'])),
        there({ ...node([vault, 'get', 'db']), name: 'credstash get, vault' }),
        there({ ...node(['get', 'db'], aws), name: 'credstash get, AWS' }),
      ]).text,
    );
  }
  for (const [name, more, before] of /** @type {[string, Record<string, string>, string[]][]} */ ([
    ['AWS, 0 ms a request', aws, []],
    ['AWS, 10 ms a request', slow, []],
    ['vault', {}, [vault]],
  ])) {
    /** @type {Candidate[]} */
    const candidates = [floor, { ...node([...before, 'get', 'db'], more), name: 'credstash get' }];
    for (const count of [10, 300, 3000]) {
      const where =
        before.length > 0
          ? [`--local=${join(folder, `vault-${count}`)}`]
          : ['-t', `table-${count}`];
      if (name !== 'AWS, 10 ms a request') {
        once({ ...node([...where, 'putall', '-'], more), input: secrets(count, 4096) });
      }
      for (const what of ['list', 'getall']) {
        candidates.push({
          ...node([...where, what], more),
          name: `credstash ${what}, ${count} secrets of 4 KB`,
        });
      }
    }
    sections.push(
      table(`Many secrets, ${name}`, candidates, Math.max(3, Math.ceil(ROUNDS / 3))).text,
    );
  }

  // A process that starts with 50 secrets: at once, and one by one.
  once({ ...node(['-t', 'table-50', 'putall', '-'], aws), input: secrets(50, 64) });
  once({
    ...node(['-t', 'table-50', 'put', 'app', '-'], aws),
    input: secrets(50, 64).replaceAll('app.', ''),
  });
  const oneByOne = Array.from(
    { length: 50 },
    (_, i) =>
      `export S${i}="$("$NODE" "$CREDSTASH" -t table-50 get -n app.secret-${String(i).padStart(5, '0')})"`,
  ).join('\n');
  sections.push(
    table(
      'A first start: 50 secrets into the environment of a process, 10 ms a request',
      [
        floor,
        {
          ...node(['-t', 'table-50', 'exec', 'app.*', '--', 'true'], slow),
          name: 'credstash exec',
        },
        {
          name: 'credstash exec --fields, one secret with 50 fields',
          command: [
            process.execPath,
            built,
            '-t',
            'table-50',
            'exec',
            '--fields',
            'app',
            '--',
            'true',
          ],
          env: slow,
        },
        {
          name: 'credstash exec --env, 50 secrets by name',
          command: [
            ...[process.execPath, built, '-t', 'table-50', 'exec'],
            ...Array.from({ length: 50 }, (_, i) => [
              '--env',
              `S${i}=app.secret-${String(i).padStart(5, '0')}`,
            ]).flat(),
            ...['--', 'true'],
          ],
          env: slow,
        },
        {
          name: '50 times credstash get, in sh',
          command: ['sh', '-c', oneByOne],
          env: { ...slow, NODE: process.execPath, CREDSTASH: built },
        },
      ],
      Math.max(3, Math.ceil(ROUNDS / 4)),
    ).text,
  );

  // A region that is 30 ms away: the time depends on how many requests overlap.
  const { key, cert, path } = certificate();
  const secure = {
    // Two servers, as in AWS: a connection to one cannot serve the other.
    AWS_ENDPOINT_URL_DYNAMODB: `https://127.0.0.1:${await servers(key, cert, '30')}`,
    AWS_ENDPOINT_URL_KMS: `https://127.0.0.1:${await servers(key, cert, '30')}`,
    AWS_CA_BUNDLE: path,
  };
  once(node(['put', 'db', 'secret'], secure));
  const sequential = join(folder, 'sequential.cjs');
  // A connection that is opened early puts TLS on a socket of its own.
  writeFileSync(
    sequential,
    `const tls = require('node:tls');
const { connect } = tls;
tls.connect = (options, ...rest) => {
  if (options.socket) throw new Error('not early');
  return connect(options, ...rest);
};
`,
  );
  sections.push(
    table(
      'TLS, 30 ms away',
      [
        floor,
        { ...node(['get', 'db'], secure), name: 'credstash get' },
        {
          ...node(['get', 'db'], secure),
          name: 'credstash get, with no connection before its request',
          command: [process.execPath, '--require', sequential, built, 'get', 'db'],
        },
        { ...node(['get', 'db'], aws), name: 'credstash get, HTTP, not away' },
      ],
      ROUNDS,
    ).text,
  );

  const head = `# Benchmark

\`npm run bench\` ${occasion()}. Medians of whole processes, ${ROUNDS} rounds in which the
candidates take turns (fewer for thousands of secrets). \`ratio\` is to \`node -e 0\` in the same table: compare only ratios
with another machine. DynamoDB and KMS are servers on loopback that check nothing (\`bench/servers.js\`).
In the tables below the goals, peak memory is of one run more.

![Start-up](startup.svg)

`;
  if (quick) return;
  // Already here: what follows takes longest.
  writeResults(head + sections.join('\n'));
  writeFileSync(join(root, 'bench/startup.svg'), plot(startup.rows));
  await measureGrowth();
}

/** Replaces the sections about growth, which are the last ones of the results. */
async function measureGrowth() {
  const { growth, FIRST_SECTION } = await import('./growth.js');
  const when = `\`npm run bench -- --growth\` ${occasion()}.`;
  const sections = await growth({ env, folder, built, before, kms: await servers() });
  const results = readFileSync(join(root, 'bench/RESULTS.md'), 'utf8');
  const [others = ''] = results.split(FIRST_SECTION);
  const text = sections.join('\n').replace(FIRST_SECTION, `${FIRST_SECTION}\n\n${when}`);
  process.stdout.write(text);
  writeResults(`${others.trimEnd()}\n\n${text}`);
}

/** @param {string} text */
function writeResults(text) {
  writeFileSync(join(root, 'bench/RESULTS.md'), text);
  execFileSync(join(root, 'node_modules/.bin/oxfmt'), ['bench/RESULTS.md'], { cwd: root });
}

/** When, at which commit and on which machine. */
function occasion() {
  const machine = `${cpus()[0]?.model ?? 'a processor'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node.js ${process.version}`;
  return `on ${new Date().toISOString().slice(0, 10)} at ${git()}: ${machine}; the load of the machine when it began was ${startLoad}`;
}

function git() {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root }).toString().trim();
}

function load() {
  return readFileSync('/proc/loadavg', 'utf8').split(' ', 1)[0];
}

/** A certificate for 127.0.0.1. */
function certificate() {
  const [key, path] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
      ...['-keyout', key, '-out', path, '-days', '2', '-subj', '/CN=bench'],
      ...['-addext', 'subjectAltName=IP:127.0.0.1'],
    ],
    { stdio: 'ignore' },
  );
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(path, 'utf8'), path };
}
