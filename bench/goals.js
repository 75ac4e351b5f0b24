import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * The goals: how long a command may take, as a ratio to `node -e 0` of the same release of Node.js (of Node.js 20 for the single
 * file), and how much memory. Each column is one run, in which its rows take turns.
 *
 *     npm run bench -- --goals                          every row, 21 rounds
 *     npm run bench -- --goals --rounds 5 --row TLS     only the rows whose name contains TLS; writes nothing
 */
const root = join(import.meta.dirname, '..');

/**
 * A row of the table. `goal` is for Node 20, 22, 24 and the single file: a ratio, or MB if it says so; NaN for none.
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {readonly string[]} args
 * @property {Record<string, string>} [env]
 * @property {readonly number[]} goal
 * @property {boolean} [isMemory]
 */

/** @typedef {{ name: string, command: readonly string[], env?: Record<string, string>, input?: string }} Candidate */
/** @typedef {{ title: string, node: string, command: readonly string[], index: number }} Column */

const LIBRARY = 'The library, in one process';

/** A row without a goal. */
const NONE = [NaN, NaN, NaN, NaN];

/** The columns, whether this machine can measure them or not. @param {string} standalone */
function findColumns(standalone) {
  const built = join(root, 'dist/bin/credstash.cjs');
  /** @param {string} release */
  const node = (release) => join(root, `.cache/node${release}/bin/node`);
  return [
    { title: 'Node 20', node: process.execPath, command: [process.execPath, built] },
    ...['22', '24'].map((release) => ({
      title: `Node ${release}`,
      node: node(release),
      command: [node(release), built],
    })),
    { title: 'single file', node: process.execPath, command: [standalone] },
  ].map((column, index) => ({ ...column, index }));
}

/**
 * Measures the goals and the library.
 *
 * @param {object} tools of bench/run.js
 * @param {(candidate: Candidate) => number} tools.once
 * @param {(candidate: Candidate) => number} tools.memoryOf
 * @param {(...args: string[]) => Promise<number>} tools.servers
 * @param {() => { key: string, cert: string, path: string }} tools.certificate
 * @param {string} tools.folder
 * @param {string} tools.standalone
 * @param {number} tools.rounds
 * @param {string} tools.only the text that a row's name must contain
 * @returns {Promise<string[]>} the sections, in Markdown
 */
export async function goals({ once, memoryOf, servers, certificate, ...options }) {
  const { folder, standalone, rounds, only } = options;
  const port = await servers();
  const aws = { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
  const slow = { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}/10` };
  const vault = `--local=${join(folder, 'goals')}`;
  const { key, cert, path } = certificate();
  const secure = {
    AWS_ENDPOINT_URL_DYNAMODB: `https://127.0.0.1:${await servers(key, cert, '30')}`,
    AWS_ENDPOINT_URL_KMS: `https://127.0.0.1:${await servers(key, cert, '30')}`,
    AWS_CA_BUNDLE: path,
  };
  /** @type {Row[]} */
  const rows = [
    { name: '--version', args: ['--version'], goal: [1.2, NaN, NaN, 0.5] },
    { name: 'get, vault', args: [vault, 'get', 'db'], goal: [2.5, 1.6, 1.7, 0.8] },
    { name: 'get, AWS', args: ['get', 'db'], env: aws, goal: [3.2, 2.9, 3, 1.8] },
    {
      name: 'get, TLS, 30 ms each way',
      args: ['get', 'db'],
      env: secure,
      goal: [6.4, 5.3, NaN, 5],
    },
    {
      name: 'get, a fallback region that is not needed',
      args: ['get', 'db', '--fallback-region', 'eu-west-1'],
      env: aws,
      goal: NONE,
    },
    {
      name: 'get, from the fallback region',
      args: ['get', 'db', '-r', 'down', '--fallback-region', 'eu-west-1'],
      env: aws,
      goal: NONE,
    },
    {
      name: 'exec --fields',
      args: ['exec', '--fields', 'object', '--', 'true'],
      env: aws,
      goal: NONE,
    },
    ...[10, 4096].map((bytes, i) => ({
      name: `getall of 300 of ${bytes === 10 ? '10 B' : '4 KB'} at 10 ms`,
      args: ['-t', `small-${bytes}`, 'getall'],
      env: slow,
      goal: [20 + i, NaN, NaN, 14 + i],
    })),
    {
      name: 'getall of 200 of 390 KB, peak memory',
      args: ['-t', 'large', 'getall'],
      env: aws,
      goal: [280, NaN, NaN, 400],
      isMemory: true,
    },
  ].filter(({ name }) => name.includes(only));

  const prepare = [process.execPath, join(root, 'dist/bin/credstash.cjs')];
  /** @param {string[]} args @param {Record<string, string>} env @param {string} input */
  const store = (args, env, input = '') =>
    once({ name: args.join(' '), command: [...prepare, ...args], env, input });
  store(['put', 'db', 'secret'], aws);
  store(['put', 'object', '-'], aws, '{"LOGIN":"u","PASSWORD":"p","PORT":5432}');
  store(['put', 'db', 'secret'], secure);
  store([vault, 'put', 'db', 'secret'], {});
  const measuresLibrary = LIBRARY.includes(only);
  for (const bytes of measuresLibrary || rows.some(({ args }) => args.includes('getall'))
    ? [10, 4096]
    : []) {
    store(['-t', `small-${bytes}`, 'putall', '-'], aws, secrets(300, bytes));
  }
  if (rows.some(({ isMemory }) => isMemory)) {
    store(['-t', 'large', 'putall', '-'], aws, secrets(200, 390 * 1000));
  }

  const columns = findColumns(standalone).filter(({ command }) =>
    command.every((each) => existsSync(each)),
  );
  /** @type {Map<Row, string[]>} */
  const cells = new Map(rows.map((row) => [row, []]));
  for (const column of columns) {
    /** @param {Row} row */
    const candidate = ({ name, args, env = {} }) => ({
      name: `${column.title}: ${name}`,
      command: [...column.command, ...args],
      env,
    });
    const timed = rows.filter(({ isMemory }) => !isMemory);
    const candidates = [
      { name: 'node -e 0', command: [column.node, '-e', '0'], env: {} },
      ...timed.map(candidate),
    ];
    const [floor = NaN, ...medians] = measure(candidates, rounds, once);
    const results = new Map(timed.map((row, i) => [row, (medians[i] ?? NaN) / floor]));
    for (const row of rows) {
      const value = results.get(row) ?? medianOf([1, 2, 3].map(() => memoryOf(candidate(row))));
      const goal = row.goal[column.index] ?? NaN;
      const text = row.isMemory ? value.toFixed(0) : value.toFixed(2);
      cells.get(row)?.push(Number.isNaN(goal) ? text : `**${text}** (${goal})`);
    }
  }
  const titles = columns.map(({ title }) => title);
  const sections = [table('Goals', 'ratio to `node -e 0`, or MB', titles, [...cells], GOALS_NOTE)];
  if (measuresLibrary) {
    const library = measureLibrary({ columns, aws, folder, once, rounds });
    sections.push(
      table(
        'The library, in one process',
        'ms',
        columns.filter(isNode).map(({ title }) => title),
        library,
      ),
    );
  }
  process.stdout.write(`${sections.join('\n')}\n`);
  return sections;
}

const GOALS_NOTE =
  'The goal, if there is one, follows each measured value in brackets. A `down` region closes each connection. Peak memory is the median of three runs. Waiting for a network (the rows with ms) is as long on a faster machine, and its ratio larger.';

/**
 * Medians of candidates that take turns. The first two starts of each are not counted: they write the code cache.
 *
 * @param {readonly Candidate[]} candidates
 * @param {number} rounds
 * @param {(candidate: Candidate) => number} once
 */
function measure(candidates, rounds, once) {
  /** @type {number[][]} */
  const times = candidates.map(() => []);
  for (let round = -2; round < rounds; round += 1) {
    for (const [i, candidate] of candidates.entries()) {
      const took = once(candidate);
      if (round >= 0) times[i]?.push(took);
    }
  }
  return times.map(medianOf);
}

/** @param {Column} column */
const isNode = ({ command }) => command.length > 1;

/** @param {number[]} values */
const medianOf = (values) => values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;

/**
 * Measures the steps of the library, by a script that writes how long each took.
 *
 * @param {object} tools
 * @param {readonly Column[]} tools.columns
 * @param {Record<string, string>} tools.aws
 * @param {string} tools.folder
 * @param {(candidate: Candidate) => number} tools.once
 * @param {number} tools.rounds
 * @returns {(readonly [{ name: string }, string[]])[]}
 */
function measureLibrary({ columns, aws, folder, once, rounds }) {
  const script = join(folder, 'library.mjs');
  const report = join(folder, 'library.json');
  writeFileSync(
    script,
    `import { writeFileSync } from 'node:fs';
const steps = {};
const time = async (name, work) => {
  const start = performance.now();
  const result = await work();
  steps[name] = performance.now() - start;
  return result;
};
const { Credstash } = await time('import', () => import(${JSON.stringify(join(root, 'dist/lib/index.js'))}));
const credstash = new Credstash({ table: 'small-4096' });
const name = 'app.secret-00000';
await time('first get', () => credstash.get(name));
for (let i = 0; i < 20; i += 1) await credstash.get(name);
await time('warm get', async () => {
  for (let i = 0; i < 20; i += 1) await credstash.get(name);
});
steps['warm get'] /= 20;
await time('getAll of 300 of 4 KB', () => credstash.getAll());
await credstash.close();
writeFileSync(${JSON.stringify(report)}, JSON.stringify(steps));
`,
  );
  /** @type {Map<string, string[]>} */
  const cells = new Map();
  for (const { title, node } of columns.filter(isNode)) {
    /** @type {Map<string, number[]>} */
    const times = new Map();
    for (let round = 0; round < rounds; round += 1) {
      once({ name: `${title}: library`, command: [node, script], env: aws });
      for (const [step, took] of Object.entries(JSON.parse(readFileSync(report, 'utf8')))) {
        times.set(step, [...(times.get(step) ?? []), took]);
      }
    }
    for (const [step, values] of times) {
      cells.set(step, [...(cells.get(step) ?? []), medianOf(values).toFixed(1)]);
    }
  }
  return [...cells].map(([name, texts]) => [{ name }, texts]);
}

/**
 * A table in Markdown.
 *
 * @param {string} title
 * @param {string} corner
 * @param {readonly string[]} titles
 * @param {readonly (readonly [{ readonly name: string }, readonly string[]])[]} rows
 */
function table(title, corner, titles, rows, note = '') {
  return [
    `## ${title}`,
    '',
    ...(note === '' ? [] : [note, '']),
    `| ${corner} | ${titles.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(titles.length)}`,
    ...rows.map(([{ name }, texts]) => `| ${name} | ${texts.join(' | ')} |`),
    '',
  ].join('\n');
}

/** Secrets by name, as putall takes them. @param {number} count @param {number} bytes */
function secrets(count, bytes) {
  const entries = Array.from({ length: count }, (_, i) => [
    `app.secret-${String(i).padStart(5, '0')}`,
    randomBytes(bytes / 2).toString('hex'),
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}
