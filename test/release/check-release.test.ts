import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { checkRelease } from '../../scripts/check-release.js';
import { readIdentity } from '../../scripts/identity.js';
import { temporaryFolder } from '../support/temporary-folder.ts';

/* Which tags become a release. */

const root = join(import.meta.dirname, '../..');
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  for (const file of ['package.json', 'package-lock.json', 'identity.json']) {
    cpSync(join(root, file), join(folder, file));
  }
  edit('package.json', (text) => text.replace(`"${manifest.version}"`, '"1.2.3"'));
  edit('package-lock.json', (text) =>
    text.replaceAll(`"version": "${manifest.version}"`, '"version": "1.2.3"'),
  );
  edit('identity.json', (text) =>
    text
      .replaceAll(readIdentity().repository, 'https://github.com/someone/something')
      .replace('false', 'true'),
  );
  writeFileSync(
    join(folder, 'CHANGELOG.md'),
    '# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-12-01\n\n- A change.\n\n## [1.2.2] - 2026-11-01\n\n- Older.\n',
  );
});

function edit(file: string, change: (text: string) => string): void {
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  expect(change(text)).not.toBe(text);
  writeFileSync(path, change(text));
}

it('a tag of the version in the changelog is released, with its section as notes', () => {
  expect(checkRelease('v1.2.3', 'someone/something', folder)).toEqual({
    version: '1.2.3',
    npmTag: 'latest',
    image: readIdentity(folder).image,
    notes: '- A change.\n',
  });
});

it('a preview does not become what npm installs by default', () => {
  for (const file of ['package.json', 'package-lock.json', 'CHANGELOG.md']) {
    edit(file, (text) => text.replaceAll('1.2.3', '1.3.0-rc.1'));
  }
  expect(checkRelease('v1.3.0-rc.1', 'someone/something', folder)).toMatchObject({
    npmTag: 'next',
  });
});

it.each<[string, string, () => void]>([
  ['another version', 'the tag is v1.2.4, and package.json has 1.2.3', () => undefined],
  ['a tag without v', 'the tag is 1.2.3,', () => undefined],
  [
    'no section',
    'no section "## [1.2.3] - ',
    () => {
      edit('CHANGELOG.md', (text) => text.replace('[1.2.3]', '[1.2.0]'));
    },
  ],
  [
    'no day',
    'no section "## [1.2.3] - ',
    () => {
      edit('CHANGELOG.md', (text) => text.replace(' - 2026-12-01', ''));
    },
  ],
  [
    'an empty section',
    'the section of 1.2.3 in CHANGELOG.md is empty',
    () => {
      edit('CHANGELOG.md', (text) => text.replace('- A change.\n', ''));
    },
  ],
  [
    'changes after it',
    'has changes under [Unreleased]',
    () => {
      edit('CHANGELOG.md', (text) => text.replace('[Unreleased]\n', '[Unreleased]\n\n- New.\n'));
    },
  ],
  [
    'another lock file',
    'package-lock.json has 1.2.2',
    () => {
      edit('package-lock.json', (text) => text.replace('1.2.3', '1.2.2'));
    },
  ],
  [
    'another repository',
    'and this is https://github.com/someone/something',
    () => {
      edit('identity.json', (text) => text.replace('someone/something', 'someone/other'));
    },
  ],
  [
    'names that nobody owns',
    'does not say that the names are ours',
    () => {
      edit('identity.json', (text) => text.replace('true', 'false'));
    },
  ],
])('%s: no release', (title, message, break_) => {
  break_();
  const tag = { 'another version': 'v1.2.4', 'a tag without v': '1.2.3' }[title] ?? 'v1.2.3';
  expect(() => checkRelease(tag, 'someone/something', folder)).toThrow(message);
});
