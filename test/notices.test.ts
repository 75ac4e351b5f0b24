import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bundledPackages, bunParts, makeNotices } from '../scripts/notices.js';
import { BUN } from '../scripts/tools.js';

/* THIRD-PARTY-NOTICES has the licenses of all code of others that the packages contain. The build must be up to date. */

const root = join(import.meta.dirname, '..');
const notices = readFileSync(join(root, 'THIRD-PARTY-NOTICES'), 'utf8');
const bundled = JSON.parse(readFileSync(join(root, 'dist/bundled.json'), 'utf8')) as Record<
  string,
  string[]
>;

it('is that of the last build', () => {
  expect(notices === makeNotices(), 'run npm run notices').toBe(true);
});

describe('part 1', () => {
  it('has every package with a module in dist, with its version and its own text', () => {
    const modules = Object.values(bundled).flat();
    const names = new Set(
      modules.flatMap(
        (id) =>
          id
            .split('node_modules/')
            .at(-1)
            ?.match(/^(?:@[^/]+\/)?[^/]+/) ?? [],
      ),
    );
    // Our own modules, and those of rolldown.config.js.
    for (const ours of ['src', 'bin', 'package.json', 'no-programs', 'read-file-alone']) {
      expect(names.delete(ours), ours).toBe(true);
    }
    expect(names.size).toBeGreaterThan(20);
    for (const name of names) {
      const folder = join(root, 'node_modules', name);
      const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        version: string;
      };
      expect(notices).toContain(`\n${name} ${version} (`);
      for (const file of readdirSync(folder).filter((each) => /^licen[cs]e/i.test(each))) {
        const lines = readFileSync(join(folder, file), 'utf8').split(/\r?\n/);
        const copyright = lines.filter((line) => /^\s*copyright \(c\)/i.test(line));
        for (const line of copyright) expect(notices, name).toContain(line.trimEnd());
      }
    }
    expect(bundledPackages().map(({ name }) => name)).toEqual([...names].sort());
  });

  it('has no license with conditions beyond its notice', () => {
    for (const { name, license } of bundledPackages()) {
      expect(['MIT', 'Apache-2.0', 'ISC', '0BSD'], name).toContain(license);
    }
  });

  it('is all that the command loads: its bundle names no other package', () => {
    const folder = join(root, 'dist/bin');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const loaded = files
      .filter((file) => file.endsWith('.cjs'))
      .flatMap((file) => [
        ...readFileSync(join(folder, file), 'utf8').matchAll(/\brequire\("([^"]+)"\)/g),
      ])
      .map(([, id = '']) => id.replace(/^node:/, ''))
      .filter((id) => !id.startsWith('.') && !builtinModules.includes(id));
    // The words of an error of the SDK, which tells people to load it.
    expect(new Set(loaded)).toEqual(new Set(['@aws-sdk/signature-v4-crt']));
  });
});

describe('part 2', () => {
  it('has Bun with what it contains, and the text of each license', () => {
    expect(notices).toContain(`\nPART 2: Bun ${BUN}, in the single file\n`);
    const parts = bunParts();
    expect(parts.length).toBeGreaterThan(40);
    for (const { name, licenses, url } of parts) {
      expect(notices).toContain(`\n${name}\n    ${licenses.join(', ')}\n    ${url}\n`);
      for (const license of licenses) {
        const text = readFileSync(join(root, `scripts/licenses/${license}.txt`), 'utf8');
        expect(notices, license).toContain(text.trim().slice(0, 500));
      }
    }
  });

  it('says what the LGPL asks of people who pass the single file on', () => {
    for (const text of [
      'JavaScriptCore and tinycc',
      `bun-v${BUN}`,
      'WEBKIT_VERSION',
      'section 6',
    ]) {
      expect(notices).toContain(text);
    }
  });
});
