import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { toolPath } from '../../scripts/tools.js';
import { describeUnless, programMissing } from '../support/needed.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/*
 * The Debian package, installed by dpkg into a root that has bash and the C library, and nothing else.
 */

const project = join(import.meta.dirname, '../..');
const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as 'x64' | 'arm64'];
const deb = join(project, `dist/release/credstash_${manifest.version}_${architecture}.deb`);
const root = join(temporaryFolder(), 'root');

const missing =
  programMissing('dpkg-deb', '--version') ??
  programMissing('lintian', '--version') ??
  programMissing('unshare', '--mount', 'true') ??
  (existsSync(toolPath('bun')) ? undefined : 'no Bun (npm run test:tools)') ??
  (process.getuid?.() === 0 ? undefined : 'dpkg installs as root only');

function dpkg(...args: string[]): void {
  execFileSync('dpkg', [`--root=${root}`, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Runs a script of bash in the root, which has /proc while it runs. */
function bash(script: string): string {
  const mounts =
    'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && exec chroot "$0" "$@"';
  const { stdout, stderr, status } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', mounts, root, '/bin/bash', '-ec', script],
    { encoding: 'utf8', env: { HOME: '/root', PATH: '/usr/bin:/bin:/usr/sbin:/sbin' } },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

/** The files of the root but for dpkg's own, its log, and the home of its user. */
function files(): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => !/^(?:var|root)\//.test(path))
    .sort();
}

/** Builds the package under a umask. @returns its digest */
function build(umask: string): string {
  const script = `umask ${umask}; exec "$0" scripts/build-deb.js ${architecture}`;
  execFileSync('sh', ['-c', script, process.execPath], { cwd: project });
  return createHash('sha256').update(readFileSync(deb)).digest('hex');
}

describeUnless(missing, 'the Debian package', () => {
  let digest: string;
  beforeAll(() => {
    digest = build('022');
    for (const folder of ['proc', 'dev', 'root', 'var/lib/dpkg/info', 'var/lib/dpkg/updates']) {
      mkdirSync(join(root, folder), { recursive: true });
    }
    // The C library of this machine, which dpkg has to know that the package may depend on it.
    const { stdout } = spawnSync('dpkg', ['--status', 'libc6'], { encoding: 'utf8' });
    writeFileSync(join(root, 'var/lib/dpkg/status'), stdout);
    writeFileSync(join(root, `var/lib/dpkg/info/libc6:${architecture}.list`), '');
    for (const program of [
      '/bin/bash',
      join(project, `dist/release/credstash-linux-${process.arch}`),
    ]) {
      const needed = execFileSync('ldd', [program], { encoding: 'utf8' });
      for (const [path] of needed.matchAll(/\/\S+/g)) copy(path);
    }
    copy('/bin/bash');
  });

  function copy(path: string): void {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    copyFileSync(path, join(root, path));
  }

  test('installs, stores and reads a secret, completes its name, and goes without a trace', () => {
    const before = files();
    dpkg('--install', deb);
    expect(bash('credstash --version')).toBe(`${manifest.version}\n`);
    const vault = 'export CREDSTASH_LOCAL=/root/vault\n';
    expect(bash(`${vault}credstash put db.password s3cr3t; credstash get db.password`)).toBe(
      'db.password has been stored\ns3cr3t\n',
    );
    // What bash-completion does with the file, and bash with the function, when somebody types Tab.
    const complete = `${vault}. /usr/share/bash-completion/completions/credstash
[[ $(complete -p credstash) =~ -F\\ ([^ ]+) ]]
COMP_LINE='credstash get db.p' COMP_POINT=18 COMP_WORDS=(credstash get db.p) COMP_CWORD=2
\${BASH_REMATCH[1]} credstash db.p get
printf '%s\\n' "\${COMPREPLY[@]}"`;
    expect(bash(complete).trim()).toBe('db.password');
    dpkg('--purge', 'credstash');
    expect(files()).toEqual(before);
    expect(readdirSync(join(root, 'var/lib/dpkg/info')).join()).not.toContain('credstash');
    expect(readFileSync(join(root, 'var/lib/dpkg/status'), 'utf8')).not.toContain('credstash');
  });

  test('has the same bytes each time, whatever the umask', () => {
    expect(build('077')).toBe(digest);
  });

  test('has the man pages, the completions of each shell and the licences, owned by root', () => {
    const listed = execFileSync('dpkg-deb', ['--contents', deb], { encoding: 'utf8' });
    const entries = listed
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/));
    const paths = entries.map((words) => words[5]);
    expect(paths).toEqual(
      expect.arrayContaining([
        './usr/bin/credstash',
        ...manifest.man.map((page) => page.replace('./dist/man/', './usr/share/man/man1/') + '.gz'),
        './usr/share/bash-completion/completions/credstash',
        './usr/share/zsh/vendor-completions/_credstash',
        './usr/share/fish/vendor_completions.d/credstash.fish',
        './usr/share/doc/credstash/copyright',
        './usr/share/doc/credstash/changelog.gz',
      ]),
    );
    expect(new Set(entries.map((words) => words[1]))).toEqual(new Set(['root/root']));
    const writable = entries.filter(([mode = '']) => !/^(?:drwxr-xr-x|-rw-r--r--)$/.test(mode));
    expect(writable.map((words) => words[5])).toEqual(['./usr/bin/credstash']);
    // zsh finds what a file completes by its first line.
    const zsh = execFileSync('sh', [
      '-c',
      'dpkg-deb --fsys-tarfile "$0" | tar -xO ./usr/share/zsh/vendor-completions/_credstash',
      deb,
    ]).toString();
    expect(zsh).toMatch(/^#compdef credstash\n/);
  });

  test('lintian finds nothing that scripts/deb/lintian-overrides does not explain', () => {
    const args = [
      '--info',
      '--display-info',
      '--pedantic',
      '--fail-on',
      'error,warning,info,pedantic',
      // The overrides explain whatever these two find, for which they read all of Bun.
      '--dont-check-part',
      'binaries/spelling,libraries/embedded',
    ];
    const { status, stdout } = spawnSync('lintian', [...args, deb], { encoding: 'utf8' });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });
});
