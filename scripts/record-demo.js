import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/*
 * Records docs/demo.svg, the terminal of the README: runs the built command on a new vault, on a pseudo-terminal of
 * util-linux's `script`, and draws what it printed.
 *
 *     npm run build && npm run demo
 *     npm run demo -- --check        fails if the command prints something else now
 */
const root = join(import.meta.dirname, '..');
const file = join(root, 'docs/demo.svg');
const command = join(root, 'dist/bin/credstash.cjs');
const home = mkdtempSync(join(tmpdir(), 'credstash-demo-'));

/** The command lines, each with the answer that is typed at its prompt. */
const STEPS = [
  { line: 'credstash put db.password', typed: 's3cr3t' },
  { line: 'credstash get db.password' },
  { line: 'credstash put -a db.password', typed: 'n3w-s3cr3t' },
  { line: `credstash exec --env PW=db.password -- sh -c 'echo "connecting with $PW"'` },
  { line: 'credstash rollback db.password' },
  { line: 'credstash get db.password' },
];

/** Runs a command line on a terminal of 80 columns and returns its output. @param {{ line: string, typed?: string }} step */
function record({ line, typed }) {
  const shell = `credstash() { '${process.execPath}' '${command}' "$@"; }; stty cols 80; ${line}`;
  const flags = ['--quiet', '--flush', '--echo', 'never', '--command', shell, '/dev/null'];
  const { stdout, error } = spawnSync('script', flags, {
    env: {
      PATH: process.env.PATH,
      HOME: home,
      SHELL: '/bin/bash',
      TERM: 'xterm-256color',
      NO_COLOR: '1',
      CREDSTASH_LOCAL: '1',
    },
    // The terminal keeps it until the command asks.
    input: typed === undefined ? '' : `${typed}\r`,
    encoding: 'utf8',
    timeout: 30_000,
  });
  if (error !== undefined) throw error;
  const text = stripVTControlCharacters(stdout);
  return text.replaceAll(home, '/home/you').replaceAll('\r\n', '\n').trimEnd();
}

/** The lines of the terminal; those that a person types begin with `$ `. */
function session() {
  return STEPS.flatMap((step) => [`$ ${step.line}`, ...record(step).split('\n')]).flatMap((line) =>
    wrap(line, 80),
  );
}

/** @param {string} line @param {number} columns */
function wrap(line, columns) {
  return line.match(RegExp(`.{1,${columns}}`, 'gu')) ?? [''];
}

/** @param {string} text */
const escape = (text) =>
  text.replace(/[&<>]/g, (each) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[each] ?? each);

/** A picture in which the lines appear one after another; a typed one takes longer. @param {string[]} lines */
function draw(lines) {
  const [step, top, left] = [20, 44, 18];
  const height = top + lines.length * step + 8;
  let delay = 0;
  const rows = lines.map((line, i) => {
    const isTyped = line.startsWith('$ ');
    delay += isTyped ? 1.1 : 0.25;
    const style = `animation-delay:${delay.toFixed(2)}s`;
    const text = isTyped ? `<tspan class="p">$</tspan>${escape(line.slice(1))}` : escape(line);
    return `  <text class="${isTyped ? 'c' : 'o'}" x="${left}" y="${top + i * step + 12}" style="${style}">${text}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="720" height="${height}" viewBox="0 0 720 ${height}" role="img">
  <title>A terminal with credstash</title>
  <style>
    text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d0d7de; white-space: pre; animation: show 0.01s both }
    .c { fill: #ffffff; font-weight: 600 }
    .p { fill: #3fb950 }
    @keyframes show { from { opacity: 0 } to { opacity: 1 } }
    @media (prefers-reduced-motion: reduce) { text { animation: none } }
  </style>
  <rect width="720" height="${height}" rx="8" fill="#0d1117"/>
  <circle cx="20" cy="18" r="6" fill="#ff5f57"/><circle cx="40" cy="18" r="6" fill="#febc2e"/><circle cx="60" cy="18" r="6" fill="#28c840"/>
${rows.join('\n')}
</svg>
`;
}

try {
  const picture = draw(session());
  if (!process.argv.includes('--check')) {
    writeFileSync(file, picture);
  } else if (readFileSync(file, 'utf8') !== picture) {
    throw new Error('the command prints something else than docs/demo.svg shows: npm run demo');
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  rmSync(home, { recursive: true, force: true });
}
