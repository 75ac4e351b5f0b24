import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { Script } from 'node:vm';
import manifest from '../package.json' with { type: 'json' };
import { makeFolders } from '../src/util/make-folders.ts';

/*
 * Loads the command's own modules, and keeps V8's compiled code for the next start (docs/contributing/performance.md). Compiled
 * code will run, so it is read only from files that belong to this user, and only together with the source that it was compiled
 * from: V8 itself compares only the length of the source. If the cache is invalid or cannot be written, the start is slower, but
 * nothing else happens.
 *
 * A cache file is the source followed by two copies of the compiled code. Comparing the copies detects damage as a digest would,
 * without node:crypto, whose loading takes an eighth of the start of Node.js.
 */

type Require = (id: string) => unknown;
type Wrapper = (
  exports: object,
  require: Require,
  module: { exports: object },
  filename: string,
  dirname: string,
) => void;

/** The longest name of a file (POSIX, NAME_MAX as on all systems). */
const MAX_NAME_BYTES = 255;
/** How many links Linux follows on the way to one file (path_resolution(7)). */
const MAX_LINKS = 40;
/** The age at which other releases' folders are removed, when a new folder is made. A folder that is still in use comes back. */
const STALE_MS = 90 * 24 * 3600 * 1000;

const loaded = new Map<string, { exports: object }>();
/** Scripts that were compiled without a cache. Their code is written when the process ends. */
const compiled: { readonly file: string; readonly bytes: Buffer; readonly script: Script }[] = [];
const folder = cacheFolder();

/**
 * Loads one of the command's modules as `require` does. The module runs on its first load.
 *
 * @param path of the module, absolute
 * @returns its exports
 */
export function load(path: string): object {
  const known = loaded.get(path);
  if (known) return known.exports;
  const module = { exports: {} };
  loaded.set(path, module);
  const here = dirname(path);
  const run = compile(path).runInThisContext() as Wrapper;
  const require: Require = (id) =>
    id.startsWith('.')
      ? load(join(here, id))
      : (process.getBuiltinModule(id) ?? requireFrom(path)(id));
  run.call(module.exports, module.exports, require, module, path, here);
  return module.exports;
}

/** Makes the `require` for packages that are not in the bundle. Most command lines need none. */
function requireFrom(path: string): Require {
  return process.getBuiltinModule('node:module').createRequire(path);
}

function compile(path: string): Script {
  const bytes = readFileSync(path);
  // The wrapper is on the first line of the source, so that stacks show the lines of the file. The build writes ASCII only.
  const text = bytes.toString('latin1');
  const source = `(function (exports, require, module, __filename, __dirname) { ${text}\n})`;
  if (folder === undefined) return new Script(source, { filename: path });
  const file = join(folder, `${basename(path)}.cache`);
  const cachedData = readCached(file, bytes);
  const script = new Script(source, { filename: path, cachedData });
  if (!cachedData || script.cachedDataRejected) {
    if (compiled.push({ file, bytes, script }) === 1) process.once('exit', writeCaches);
  }
  return script;
}

/** Reads the compiled code of `source` from a cache file; undefined if the file is missing or cannot be trusted. */
function readCached(file: string, source: Buffer): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    if (!isOurs(fstatSync(fd))) return undefined;
    const bytes = readFileSync(fd);
    const data = bytes.subarray(source.length, (source.length + bytes.length) / 2);
    const again = bytes.subarray(source.length + data.length);
    const isWhole = data.length > 0 && source.equals(bytes.subarray(0, source.length));
    return isWhole && data.equals(again) ? data : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * Writes the compiled code, with the functions that this run used, each file in one step. The first start makes only the
 * folder: most containers have no second start, which the code would be for.
 */
function writeCaches(): void {
  try {
    if (makeFolder()) return;
    for (const { file, bytes, script } of compiled) {
      const data = script.createCachedData();
      // Two containers may share the folder and the process id. The second then fails to create the draft, and writes next time.
      const draft = `${file}.${process.pid}.tmp`;
      try {
        writeFileSync(draft, Buffer.concat([bytes, data, data]), { mode: 0o600, flag: 'wx' });
        renameSync(draft, file);
      } catch {
        rmSync(draft, { force: true });
      }
    }
  } catch {
    // The next start is as slow as this one.
  }
}

/**
 * Creates the folder, and removes the stale folders of other releases of Node.js and credstash.
 *
 * @returns false if the folder existed already
 */
function makeFolder(): boolean {
  const newFolder = folder ?? '';
  if (!makeFolders(newFolder, 0o700)) return false;
  for (const each of readdirSync(dirname(newFolder))) {
    const path = join(dirname(newFolder), each);
    if (lstatSync(path).mtimeMs < Date.now() - STALE_MS) rmSync(path, { recursive: true });
  }
  return true;
}

/**
 * Finds the folder `credstash/code/KEY` in the user's cache folder (XDG_CACHE_HOME, or ~/.cache). The key consists of the
 * releases of credstash, Node.js and V8, and the flags of this process, because V8 accepts compiled code only for the same
 * release and flags.
 *
 * @returns undefined if the cache is turned off; if the flags are too long for a name; if a folder or link on the path belongs
 *   to another user, as under sudo; or if others can write to a folder
 */
function cacheFolder(): string | undefined {
  if (process.env['CREDSTASH_CODE_CACHE'] === '0') return undefined;
  try {
    const xdg = process.env['XDG_CACHE_HOME'] ?? '';
    const base = isAbsolute(xdg) ? xdg : join(homedir(), '.cache');
    if (!isAbsolute(base)) return undefined;
    const { arch, execArgv, env, versions } = process;
    const flags = [...execArgv, ...(env['NODE_OPTIONS'] ? [env['NODE_OPTIONS']] : [])];
    const key = [manifest.version, 'node', versions.node, versions.v8, arch]
      .concat(flags.length > 0 ? Buffer.from(JSON.stringify(flags)).toString('base64url') : [])
      .join('-');
    if (key.length > MAX_NAME_BYTES) return undefined;
    if (!isFreeOfOthersLinks(base)) return undefined;
    const cache = join(base, 'credstash', 'code', key);
    const paths = [dirname(base), base, dirname(dirname(cache)), dirname(cache), cache];
    const stats = paths.map((path) => ({ path, stat: statOf(path, path.startsWith(`${base}/`)) }));
    const existing = stats.filter(({ stat }) => stat !== undefined);
    // The parent of the cache folder matters only if the cache folder does not exist yet: it will be made there.
    const checked = existing.length > 1 ? existing.slice(1) : existing;
    const fits = checked.every(
      ({ path, stat }) =>
        stat?.isDirectory() === true &&
        stat.uid === process.geteuid?.() &&
        (stat.mode & (path === cache ? 0o077 : 0o022)) === 0,
    );
    return existing.length > 0 && fits ? cache : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether every link on the path of a folder belongs to this user or to the system, like `/var` on macOS. The owner of a link
 * chooses its target. A part that does not exist is not a link.
 */
function isFreeOfOthersLinks(folder: string): boolean {
  const left = folder.split('/');
  let links = 0;
  let resolved = '/';
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    // `resolved` contains no links, so `join` may resolve `..` to the folder above it.
    const path = join(resolved, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) {
      links += 1;
      if (![0, process.geteuid?.()].includes(stat.uid) || links > MAX_LINKS) return false;
      const target = readlinkSync(path);
      if (isAbsolute(target)) resolved = '/';
      left.unshift(...target.split('/'));
    } else resolved = path;
  }
  return true;
}

/** Looks at a path; undefined if it does not exist. Inside the cache folder, does not follow a link. */
function statOf(path: string, inCache: boolean): Stats | undefined {
  return (inCache ? lstatSync : statSync)(path, { throwIfNoEntry: false });
}

/** Whether a file belongs to this user, and nobody else has access. False on systems without user ids, such as Windows. */
function isOurs({ uid, mode }: { uid: number; mode: number }): boolean {
  return uid === process.geteuid?.() && (mode & 0o077) === 0;
}
