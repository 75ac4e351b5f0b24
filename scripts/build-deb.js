import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readChangelog } from './changelog.js';
import { readIdentity } from './identity.js';
import { ARCHITECTURES, debianVersion, debName, singleFileName } from './tools.js';

/*
 * The Debian package: the single file, its man pages, its completions for bash, zsh and fish, its licences and its changes.
 *
 *     npm run build:deb                  # dist/release/credstash_VERSION_amd64.deb
 *     npm run build:deb -- arm64         # for that architecture; of Debian's, amd64 and arm64
 *
 * Two builds of one commit give the same bytes: every time in the package is SOURCE_DATE_EPOCH, or the commit's.
 */
const root = join(import.meta.dirname, '..');
process.chdir(root);

const PROGRAM = 'usr/bin/credstash';

const identity = readIdentity();
const version = debianVersion(JSON.parse(readFileSync('package.json', 'utf8')).version);
const epoch = Number(
  process.env.SOURCE_DATE_EPOCH ??
    execFileSync('git', ['log', '-1', '--format=%ct'], { encoding: 'utf8' }),
);

for (const architecture of process.argv.length > 2 ? process.argv.slice(2) : ['amd64']) {
  buildPackage(architecture);
}

/** @param {string} architecture */
function buildPackage(architecture) {
  const target = ARCHITECTURES[architecture];
  if (target === undefined) throw new Error(`no package for ${architecture}`);
  execFileSync(process.execPath, ['scripts/build-standalone.js', target], { stdio: 'inherit' });
  const output = `dist/release/${debName(version, architecture)}`;
  const folder = mkdtempSync('dist/release/deb-');
  const made = `${folder}.deb`;
  try {
    fillFolder(folder, target);
    writeControl(folder, architecture);
    setModes(folder);
    execFileSync(
      'dpkg-deb',
      // Of what every dpkg can read, xz takes a minute longer, and its bytes depend on the number of processors.
      ['--root-owner-group', '--uniform-compression', '-Zgzip', '-z6', '--build', folder, made],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, SOURCE_DATE_EPOCH: `${epoch}` },
      },
    );
    renameSync(made, output);
  } finally {
    rmSync(folder, { recursive: true });
    rmSync(made, { force: true });
  }
  process.stdout.write(`${output}: ${Math.round(statSync(output).size / 1e6)} MB\n`);
}

/** @param {string} folder @param {string} target */
function fillFolder(folder, target) {
  const write = (/** @type {string} */ path, /** @type {string | Buffer} */ data) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), data);
  };
  write(PROGRAM, readFileSync(`dist/release/${singleFileName(target)}`));
  for (const page of readdirSync('dist/man')) {
    write(`usr/share/man/man1/${page}.gz`, compress(readFileSync(join('dist/man', page))));
  }
  for (const [shell, path] of Object.entries({
    bash: 'usr/share/bash-completion/completions/credstash',
    zsh: 'usr/share/zsh/vendor-completions/_credstash',
    fish: 'usr/share/fish/vendor_completions.d/credstash.fish',
  })) {
    write(path, execFileSync(process.execPath, ['dist/bin/credstash.cjs', 'completion', shell]));
  }
  const documents = 'usr/share/doc/credstash';
  write(`${documents}/copyright`, copyright());
  write(`${documents}/THIRD-PARTY-NOTICES.gz`, compress(readFileSync('THIRD-PARTY-NOTICES')));
  write(`${documents}/changelog.gz`, compress(Buffer.from(changelog())));
  write('usr/share/lintian/overrides/credstash', readFileSync('scripts/deb/lintian-overrides'));
}

/** As `gzip -9n`: neither a name nor a time is in it. @param {Buffer} data */
function compress(data) {
  return gzipSync(data, { level: 9 });
}

/**
 * Writes what dpkg reads.
 *
 * @param {string} folder
 * @param {string} architecture
 */
function writeControl(folder, architecture) {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const files = paths.filter((path) => statSync(join(folder, path)).isFile());
  // In KiB, and one for each folder: Debian Policy, 5.6.20.
  const size = files.reduce(
    (sum, path) => sum + Math.ceil(statSync(join(folder, path)).size / 1024),
    paths.length - files.length,
  );
  const sums = files.map((path) => {
    const digest = createHash('md5').update(readFileSync(join(folder, path)));
    return `${digest.digest('hex')}  ${path}\n`;
  });
  mkdirSync(join(folder, 'DEBIAN'));
  writeFileSync(join(folder, 'DEBIAN/md5sums'), sums.join(''));
  writeFileSync(
    join(folder, 'DEBIAN/control'),
    `Package: credstash
Version: ${version}
Architecture: ${architecture}
Maintainer: ${identity.maintainer} <${identity.email}>
Installed-Size: ${size}
Depends: libc6 (>= 2.17)
Section: admin
Priority: optional
Homepage: ${identity.repository}
Description: secrets in DynamoDB, sealed with KMS data keys
 credstash keeps secrets in a DynamoDB table or in a local file, seals each
 with a data key of its own, and hands them to programs. It reads and writes
 the tables of the original credstash.
`,
  );
}

/** Gives each path the mode that it has in the package, whatever the umask was. @param {string} folder */
function setModes(folder) {
  for (const path of ['', ...readdirSync(folder, { recursive: true, encoding: 'utf8' })]) {
    const isOpen = path === PROGRAM || statSync(join(folder, path)).isDirectory();
    chmodSync(join(folder, path), isOpen ? 0o755 : 0o644);
  }
}

/**
 * The changes in Debian's form (Debian Policy, 4.4). What is not released yet is told of the version that the package has.
 */
function changelog() {
  /** @type {Map<string, { time: number, lines: string[] }>} */
  const stanzas = new Map();
  for (const section of readChangelog()) {
    if (section.text === '') continue;
    const name = section.date === undefined ? version : debianVersion(section.version);
    const stanza = stanzas.get(name) ?? {
      time: section.date === undefined ? epoch * 1000 : Date.parse(section.date),
      lines: [],
    };
    // Without the line breaks inside a paragraph, which are at another width there.
    for (const line of section.text.replace(/\n {2}(?=\S)/g, ' ').split('\n')) {
      if (line.startsWith('### ')) stanza.lines.push(`  [ ${line.slice(4)} ]`);
      else if (line !== '') stanza.lines.push(wrap(line.replace(/^- /, ''), '  * '));
    }
    stanzas.set(name, stanza);
  }
  const { maintainer, email } = identity;
  return [...stanzas]
    .map(([name, { time, lines }]) => {
      const date = new Date(time).toUTCString().replace('GMT', '+0000');
      const head = `credstash (${name}) unstable; urgency=medium`;
      return `${head}\n\n${lines.join('\n')}\n\n -- ${maintainer} <${email}>  ${date}\n`;
    })
    .join('\n');
}

/** Breaks a text into lines of at most 78 columns, the first after `bullet`. @param {string} text @param {string} bullet */
function wrap(text, bullet) {
  const indent = ' '.repeat(bullet.length);
  return text
    .split(' ')
    .reduce(
      (lines, word) => {
        const last = lines.at(-1) ?? '';
        if (last.length + word.length < 78) return [...lines.slice(0, -1), `${last} ${word}`];
        return [...lines, `${indent}${word}`];
      },
      [bullet.trimEnd()],
    )
    .join('\n');
}

/** The licences, in the form of https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/. */
function copyright() {
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: credstash
Upstream-Contact: ${identity.maintainer} <${identity.email}>
Source: ${identity.repository}
Comment: /usr/bin/credstash contains Bun and the packages that its bundle is made
 of. THIRD-PARTY-NOTICES.gz beside this file has the licence of each.

Files: *
Copyright: 2026 ${identity.maintainer}
License: Apache-2.0
 On Debian systems, the full text of the Apache License, Version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`;
}
