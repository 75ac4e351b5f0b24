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
 * Loads the command's own modules, and keeps what V8 compiled of them for the next start (docs/contributing/performance.md). It is
 * code that will run, so it is taken from files of this user alone, and only with the very source that it was compiled
 * from: V8 compares no more than the source's length, and trusts every byte of the rest. Whatever is not as it must be, or
 * cannot be written, costs time and nothing else.
 *
 * A file is the source, and twice what V8 made of it. Comparing bytes says all that a digest would, and one would take
 * node:crypto, whose loading is an eighth of the start of Node.js itself.
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
/** Older folders go when a new one comes. One that is still in use is made again. */
const STALE_MS = 90 * 24 * 3600 * 1000;

const loaded = new Map<string, { exports: object }>();
/** Scripts that were compiled without a cache. Their code is written when the process ends. */
const compiled: { readonly file: string; readonly bytes: Buffer; readonly script: Script }[] = [];
const folder = cacheFolder();

/**
 * The exports of one of the command's modules, which is run on its first use, as `require` does.
 *
 * @param path of the module, absolute
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

/** The require of a module, by which a package that is not in the bundle is found. Most command lines need none. */
function requireFrom(path: string): Require {
  return process.getBuiltinModule('node:module').createRequire(path);
}

function compile(path: string): Script {
  const bytes = readFileSync(path);
  // On one line with the source, so that a stack has the lines of the file.
  const source = `(function (exports, require, module, __filename, __dirname) { ${bytes.toString()}\n})`;
  if (folder === undefined) return new Script(source, { filename: path });
  const file = join(folder, `${basename(path)}.cache`);
  const cachedData = readCached(file, bytes);
  const script = new Script(source, { filename: path, cachedData });
  if (!cachedData || script.cachedDataRejected) {
    if (compiled.push({ file, bytes, script }) === 1) process.once('exit', writeCaches);
  }
  return script;
}

/** The cache of `source` in `file`; undefined where there is none that can be trusted. */
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
 * Writes what was compiled, with the functions that this run needed, each file in one step. The first start makes no more
 * than the folder: where there is never a second one, as in most containers, that was time for nothing.
 */
function writeCaches(): void {
  try {
    if (makeFolder()) return;
    for (const { file, bytes, script } of compiled) {
      const data = script.createCachedData();
      // Another start of the same number, in another container, fails to create it, and one of the two writes next time.
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
 * Creates the folder, and removes those that nobody has used for long: a release of Node.js or of this has its own.
 *
 * @returns whether it was not there
 */
function makeFolder(): boolean {
  const own = folder ?? '';
  if (!makeFolders(own, 0o700)) return false;
  for (const each of readdirSync(dirname(own))) {
    const path = join(dirname(own), each);
    if (lstatSync(path).mtimeMs < Date.now() - STALE_MS) rmSync(path, { recursive: true });
  }
  return true;
}

/**
 * `credstash/code/KEY` in the user's cache folder (XDG_CACHE_HOME, else ~/.cache), of which the key is made of this
 * release and of what V8 asks for: its own release and the flags of this process. Undefined when it is turned off, when
 * the flags are longer than a name can be, or when a folder or a link on the way is somebody else's, as under sudo, or a folder
 * is one that others can write to.
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
    const own = join(base, 'credstash', 'code', key);
    // Each folder on the way, down to one that is to be made in the one before it.
    const way = [dirname(base), base, dirname(dirname(own)), dirname(own), own];
    const found = way.map((path) => ({ path, stat: statOf(path, path.startsWith(`${base}/`)) }));
    const there = found.filter(({ stat }) => stat !== undefined);
    // Whose parent folder it is counts where there is no cache folder yet.
    const checked = there.length > 1 ? there.slice(1) : there;
    const fits = checked.every(
      ({ path, stat }) =>
        stat?.isDirectory() === true &&
        stat.uid === process.geteuid?.() &&
        (stat.mode & (path === own ? 0o077 : 0o022)) === 0,
    );
    return there.length > 0 && fits ? own : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether every link on the way to a folder is this user's, or the system's as `/var` is on macOS: whoever owns one
 * chooses where it leads. A folder that is not there has none.
 */
function isFreeOfOthersLinks(folder: string): boolean {
  const left = folder.split('/');
  let links = 0;
  let at = '/';
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    // What `at` is has no links in it, so that `..` is the folder above it.
    const path = join(at, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink()) {
      links += 1;
      if (![0, process.geteuid?.()].includes(stat.uid) || links > MAX_LINKS) return false;
      const target = readlinkSync(path);
      if (isAbsolute(target)) at = '/';
      left.unshift(...target.split('/'));
    } else at = path;
  }
  return true;
}

/** What a path is; in the cache folder, a link is not followed. */
function statOf(path: string, inCache: boolean): Stats | undefined {
  return (inCache ? lstatSync : statSync)(path, { throwIfNoEntry: false });
}

/** Whether it belongs to this user, and nobody else can change it. Where there are no such owners, nothing does. */
function isOurs({ uid, mode }: { uid: number; mode: number }): boolean {
  return uid === process.geteuid?.() && (mode & 0o077) === 0;
}
