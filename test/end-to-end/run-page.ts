import { spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { type Block, blocksOf } from '../support/documents.ts';
import { dynamoLocalMissing, startDynalite, startDynamoLocal } from '../support/dynamo.ts';
import { startKmsServer } from '../support/kms-server.ts';
import { describeUnless } from '../support/needed.ts';
import { startRecorder } from '../support/recorder.ts';
import { sandbox } from '../support/sandbox.ts';
import { testCredential } from '../support/sigv4.ts';
import { startStsServer } from '../support/sts-server.ts';
import { tableExtras } from '../support/table-extras.ts';
import { type Ended } from './backends.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * Runs a page as a reader does: its blocks in their order, in one shell, in an empty folder.
 *
 * - ```sh is run, and must succeed.
 * - ```console has commands behind `$ `, each followed by all that it prints; `…` is any text.
 * - ```js and ```ts are run as a module that can import the package, and must succeed.
 * - A block behind `<!-- file: NAME -->` is saved as that file.
 *
 * A question is answered with `s3cr3t`: there is no terminal, and stdin holds that.
 */

export interface PageOptions {
  /** On AWS: the reader's shell has credentials, and our servers are AWS. dynalite has no transactions, by which labels move. */
  readonly aws?: 'dynalite' | 'DynamoDB Local';
  /** Programs that the page runs and that this machine may not have; each accepts everything and prints nothing. */
  readonly standIns?: readonly string[];
  /** Programs that the page runs, each as a script of sh. */
  readonly programs?: Readonly<Record<string, string>>;
  /** What the reader has done before: commands of the shell. */
  readonly before?: string;
  /** Blocks that are not run, by their first line, and why. */
  readonly notRun?: Readonly<Record<string, string>>;
}

interface Surroundings {
  /** A folder of the test. */
  readonly folder: string;
  /** The environment of the reader's shell, beside PATH and HOME. */
  readonly env: Readonly<Record<string, string>>;
}

/** A command of a `console` block, and what the page says that it prints. */
interface Shown {
  readonly where: string;
  readonly command: string;
  readonly prints: string;
}

/**
 * Tests every page of a folder of docs/, as `pages` says by the file's name. `undefined` is for a page that another test
 * runs.
 */
export function testPages(
  kind: string,
  pages: Readonly<Record<string, PageOptions | undefined>>,
): void {
  test(`every page of ${kind} is run`, () => {
    const found = readdirSync(join(import.meta.dirname, '../../docs', kind));
    expect(Object.keys(pages).sort()).toEqual(found.sort());
  });

  for (const [name, options] of Object.entries(pages)) {
    if (options === undefined) continue;
    testPage(`docs/${kind}/${name}`, options);
  }
}

/** Tests one page, by its path from the project's root. */
export function testPage(document: string, options: PageOptions): void {
  const needed = options.aws === 'DynamoDB Local' ? dynamoLocalMissing() : undefined;
  describeUnless(needed, document, () => {
    test('works when it is followed', async () => {
      const folder = temporaryFolder();
      const aws = options.aws === undefined ? undefined : await startAws(options.aws);
      try {
        await runPage(document, options, { folder, env: aws?.env ?? {} });
      } finally {
        await aws?.close();
      }
    });
  });
}

/** An account of AWS with nothing in it, and credentials for it. */
async function startAws(
  engine: 'dynalite' | 'DynamoDB Local',
): Promise<{ readonly env: Record<string, string>; readonly close: () => Promise<void> }> {
  const startDynamo = engine === 'dynalite' ? startDynalite : startDynamoLocal;
  const servers = await Promise.all([startDynamo(), startKmsServer(), startStsServer()]);
  const [dynamo, kms, sts] = servers;
  const recorder = await startRecorder({ DynamoDB: dynamo.url });
  recorder.meddle = tableExtras().meddle;
  return {
    env: {
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: testCredential.accessKeyId,
      AWS_SECRET_ACCESS_KEY: testCredential.secretAccessKey,
      AWS_ENDPOINT_URL_DYNAMODB: recorder.url,
      AWS_ENDPOINT_URL_KMS: kms.url,
      AWS_ENDPOINT_URL_STS: sts.url,
    },
    close: async () => {
      await Promise.all([recorder, ...servers].map((each) => each.close()));
    },
  };
}

/** @throws AssertionError if a command fails, or prints something other than the page says */
async function runPage(
  document: string,
  { before = ':', standIns = [], programs = {}, notRun = {} }: PageOptions,
  { folder, env }: Surroundings,
): Promise<void> {
  const work = mkdtempSync(join(folder, 'page-'));
  const out = mkdtempSync(join(folder, 'out-'));
  const shown: Shown[] = [];
  const lines = ['set -e', `echo 'what comes before' >'${out}/at'`, before];
  const left = new Set(Object.keys(notRun));
  for (const block of blocksOf(document)) {
    if (left.delete(firstLine(block))) continue;
    lines.push(`echo '${block.where}' >'${out}/at'`, ...scriptOf(block, out, shown));
  }
  expect([...left], `${document} has no such block`).toEqual([]);
  expect(lines.length, `${document} has nothing to run`).toBeGreaterThan(3);

  mkdirSync(join(work, 'node_modules'));
  symlinkSync(join(import.meta.dirname, '../..'), join(work, 'node_modules', manifest.name));
  const box = sandbox([], { env });
  const bin = join(out, 'bin');
  mkdirSync(bin);
  const program = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  };
  for (const name of standIns) program(name, '[ -p /dev/stdin ] && cat >/dev/null; exit 0');
  for (const [name, text] of Object.entries(programs)) program(name, text);
  const words = box.command.map((word) => `'${word}'`).join(' ');
  const typed = join(out, 'typed');
  writeFileSync(typed, 's3cr3t');
  program('credstash', `[ /dev/stdin -ef '${typed}' ] && exec <'${typed}'\nexec ${words} "$@"`);
  const script = join(out, 'page.sh');
  writeFileSync(script, lines.join('\n'));
  try {
    const PATH = `${bin}:${box.env['PATH'] ?? ''}`;
    const { status, stdout, stderr } = await bash(script, typed, work, { ...box.env, PATH });
    const at = readFileSync(join(out, 'at'), 'utf8').trim();
    expect({ at, status, said: status === 0 ? '' : stdout + stderr }).toEqual({
      ...{ at, status: 0, said: '' },
    });
  } finally {
    box.remove();
  }
  for (const [i, { where, command, prints }] of shown.entries()) {
    const pattern = prints.split('…').map(escape);
    const printed = readFileSync(join(out, String(i)), 'utf8');
    if (!RegExp(`^${pattern.join('[^]*')}$`).test(printed)) {
      expect(printed, `${where}: ${command}`).toBe(prints);
    }
  }
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function firstLine({ text }: Block): string {
  return text.slice(0, text.indexOf('\n'));
}

function scriptOf(block: Block, out: string, shown: Shown[]): string[] {
  const file = /^<!-- file: (\S+) -->$/.exec(block.before)?.[1];
  if (file !== undefined) {
    const source = join(out, `file-${shown.length}-${file.replaceAll('/', '_')}`);
    writeFileSync(source, block.text);
    return [`mkdir -p "$(dirname '${file}')"`, `cp '${source}' '${file}'`];
  }
  if (block.language === 'sh') return [block.text];
  if (block.language === 'js' || block.language === 'ts') {
    const name = `module-${block.where.replace(/^.*:/, '')}.mjs`;
    writeFileSync(join(out, name), block.text);
    return [`cp '${out}/${name}' .`, `'${process.execPath}' ${name}`];
  }
  if (block.language !== 'console') {
    throw new Error(`${block.where}: nothing runs a block in ${block.language || 'no language'}`);
  }
  return `\n${block.text}`
    .split(/\n\$ /)
    .slice(1)
    .flatMap((each) => {
      const [command = '', ...prints] = each.replace(/\n$/, '').split('\n');
      const path = join(out, String(shown.length));
      const text = prints.map((line) => `${line}\n`).join('');
      shown.push({ where: block.where, command, prints: text });
      return [`{ ${command}\n} >'${path}' 2>&1 || :`];
    });
}

/** Runs a script in a shell whose stdin is the file `typed`. */
function bash(
  script: string,
  typed: string,
  cwd: string,
  env: Record<string, string>,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-c', `. '${script}' <'${typed}'`], {
      ...{ cwd, env, timeout: 240_000 },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (status) => {
      resolve({ status, stdout, stderr });
    });
  });
}
