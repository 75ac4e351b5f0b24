import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { makeFormula } from '../../scripts/build-formula.js';
import { readIdentity, tarballName } from '../../scripts/identity.js';
import { TARGETS } from '../../scripts/tools.js';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/* The Homebrew formula that scripts/build-formula.js makes. Homebrew does not run here: its blocks are read as text. */

const root = join(import.meta.dirname, '../..');
const identity = readIdentity();
const tarball = tarballName(identity.package, manifest.version);
const digestOf = (name: string): string => createHash('sha256').update(name).digest('hex');
/** Of everything that a release offers. */
const names = [...Object.keys(TARGETS).map((target) => `credstash-${target}`), tarball, 'x.deb'];
const sums = names.map((name) => `${digestOf(name)}  ${name}\n`).join('');
const formula = makeFormula(sums, identity, manifest);

/** The text of a block, by the line that begins it. */
const blockOf = (text: string, begin: string): string =>
  new RegExp(`^( *)${begin}\\n([^]*?)^\\1end$`, 'm').exec(text)?.[2] ?? '';

it.each([
  ['on_macos', 'on_arm', 'credstash-macos-arm64'],
  ['on_macos', 'on_intel', 'credstash-macos-x64'],
  ['on_linux', 'on_arm', 'credstash-linux-arm64'],
  ['on_linux', 'on_intel', 'credstash-linux-x64'],
])('%s, %s: %s with its own checksum', (system, processor, name) => {
  const block = blockOf(blockOf(formula, `${system} do`), `${processor} do`);
  const url = `${identity.repository}/releases/download/v${manifest.version}/${name}`;
  expect(block.trim().split(/\n */)).toEqual([`url "${url}"`, `sha256 "${digestOf(name)}"`]);
});

it('has the manual and the notices of the npm package', () => {
  const block = blockOf(formula, 'resource "package" do');
  expect(block).toContain(`/v${manifest.version}/${tarball}"\n`);
  expect(block).toContain(`sha256 "${digestOf(tarball)}"`);
  expect(manifest.files).toContain('THIRD-PARTY-NOTICES');
  expect(manifest.man[0]).toMatch(/^\.\/dist\/man\/.*\.1$/);
});

it('has the names of identity.json, and each block ends', () => {
  expect(formula).toContain(`  homepage "${identity.repository}"\n`);
  expect(formula).toContain(`  version "${manifest.version}"\n`);
  expect(formula).toContain(`  license "${manifest.license}"\n`);
  const begins = formula.match(/^ *(?:class|def)\b|\bdo$/gm) ?? [];
  expect(formula.match(/^ *end$/gm)).toHaveLength(begins.length);
  // Only the two interpolations of Homebrew.
  expect(new Set(formula.match(/#\{[^}]*\}/g))).toEqual(new Set(['#{bin}', '#{version}']));
});

it('its test is one that the command passes', async () => {
  const block = blockOf(formula, 'test do');
  const vault = temporaryFolder();
  const env = { CREDSTASH_LOCAL: join(vault, 'vault') };
  const [, put = '', input] =
    /pipe_output\("#\{bin\}\/credstash (.+)", "(.+)", 0\)/.exec(block) ?? [];
  expect(await run(put.split(' '), { env, input: input ?? '' })).toMatchObject({ status: 0 });
  const outputs = [
    ...block.matchAll(/assert_equal "(.+)\\n", shell_output\("#\{bin\}\/credstash (.+)"\)/g),
  ];
  expect(outputs).toHaveLength(2);
  for (const [, expected = '', args = ''] of outputs) {
    const { stdout } = await run(args.split(' '), { env });
    expect(stdout.toString()).toBe(`${expected.replace('#{version}', manifest.version)}\n`);
  }
});

describe('checksums', () => {
  it('one that is missing or twice is an error', () => {
    const without = sums.replace(/^.*credstash-macos-arm64\n/m, '');
    expect(() => makeFormula(without, identity, manifest)).toThrow(
      '0 checksums of credstash-macos-arm64',
    );
    expect(() => makeFormula(sums + sums, identity, manifest)).toThrow('2 checksums');
    expect(() => makeFormula(sums.replaceAll('a', 'A'), identity, manifest)).toThrow('0 checksums');
  });

  it('npm run build:formula reads them from a file, and writes the formula beside it', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'SHA256SUMS'), sums);
    execFileSync(process.execPath, ['scripts/build-formula.js', join(folder, 'SHA256SUMS')], {
      cwd: root,
      stdio: 'pipe',
    });
    expect(readFileSync(join(folder, 'credstash.rb'), 'utf8')).toBe(formula);
    expect(manifest.scripts['build:formula']).toBe('node scripts/build-formula.js');
  });
});
