import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** File systems that only whoever runs `under` this sees, and that go away with it. */
export interface Mounts {
  readonly under: readonly [string, ...string[]];
  /** `path` as it is in there, for this process. SQLite would follow the link out again. */
  readonly inside: (path: string) => string;
  readonly close: () => Promise<void>;
}

const isRoot = process.getuid?.() === 0;
// Whoever is not root may mount in a user namespace, where the system allows that.
const unshare = ['--mount', ...(isRoot ? [] : ['--map-root-user'])];
const nsenter = ['--mount', ...(isRoot ? [] : ['--user', '--preserve-credentials'])];

/** Makes mounts by a shell script. */
export async function startMounts(script: string): Promise<Mounts> {
  // It ends with its stdin, at the latest when this process ends; the mounts go with it.
  const holder = spawn('unshare', [...unshare, 'sh', '-c', `set -e; ${script}; echo; exec cat`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = once(holder, 'close');
  const ready = await Promise.race([once(holder.stdout, 'data'), closed]);
  if (holder.pid === undefined || ready.length !== 1) throw new Error(`cannot mount: ${script}`);
  return {
    under: ['nsenter', `--target=${holder.pid}`, ...nsenter],
    inside: (path) => `/proc/${holder.pid}/root${path}`,
    close: async () => {
      holder.stdin.end();
      await closed;
    },
  };
}

/** Binds what follows it to permission bits: root has a way around them, which is taken away. */
export const bound: Mounts['under'] = isRoot
  ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search']
  : ['env'];

/** Whether file systems can be mounted here; where not, one loud line says so, and in CI that is a failure. */
export function canMount(): boolean {
  const tried = spawnSync('unshare', [...unshare, 'mount', '-t', 'tmpfs', 'none', '/mnt']);
  if (tried.status === 0) return true;
  const why = tried.error?.message ?? String(tried.stderr).trim();
  if (process.env['CI'] !== undefined) throw new Error(`file systems cannot be mounted: ${why}`);
  process.stderr.write(
    `\n!!!! LEFT OUT: every test that mounts file systems or changes the root: ${why}\n\n`,
  );
  return false;
}
