import { closeSync, openSync } from 'node:fs';

/*
 * System failures that no input causes, and their hints. The launcher includes this file too, so it imports nothing that is
 * slow to load.
 */

/** The properties of a system error of Node.js. */
interface Fault {
  readonly code?: unknown;
  /** With ERR_ACCESS_DENIED: the permission that this process lacks. */
  readonly permission?: unknown;
}

/** The option of Node.js that grants each permission (https://nodejs.org/api/permissions.html). */
const GRANTS: Readonly<Record<string, string>> = {
  FileSystemRead: '--allow-fs-read=*',
  FileSystemWrite: '--allow-fs-write=*',
  ChildProcess: '--allow-child-process',
  WorkerThreads: '--allow-worker',
  Net: '--allow-net',
};

/** The hint for a process that may open too few files. */
export const FEW_FILES_HINT =
  'this process may open too few files at once: raise its hard limit (ulimit -Hn) to 1024 where it is set, such as ulimit -n in a shell, LimitNOFILE= of systemd, or docker run --ulimit nofile=1024';

/** The hint for ENOSPC and EDQUOT. */
export const FULL_DISK_HINT = 'the disk is full: free space, or write to another disk';

/**
 * Finds the hint for a system failure that no input causes.
 *
 * @returns undefined for every other error
 */
export function findFaultHint(error: unknown): string | undefined {
  const { code, permission } = Object(error) as Fault;
  if (code === 'EMFILE') return FEW_FILES_HINT;
  if (code === 'ENFILE') return 'the system has no file left to open: end other programs';
  if (code !== 'ERR_ACCESS_DENIED') return undefined;
  const grant = GRANTS[String(permission)];
  // Node.js 20 and 22 name no permission for what they never grant, such as fsync.
  return grant === undefined
    ? 'this release of Node.js never grants this with its permission model: run it without --permission, or use Node.js 24 or later'
    : `Node.js runs with its permission model, which refuses this: add ${grant} to its options`;
}

/** Copies an error's code and permission, without its message, which may quote a path that is a secret. */
export function stripFault(error: unknown): Error {
  const { code, permission } = Object(error) as Fault;
  const said = permission === undefined ? {} : { permission };
  return Object.assign(new Error(String(code)), { code, ...said });
}

/** Whether this process can open `count` more files at once. */
export function canOpenFiles(count: number): boolean {
  const open: number[] = [];
  try {
    for (let i = 0; i < count; i += 1) open.push(openSync('/', 'r'));
    return true;
  } catch (error) {
    return !['EMFILE', 'ENFILE'].includes(String((error as NodeJS.ErrnoException).code));
  } finally {
    for (const fd of open) closeSync(fd);
  }
}

/** Whether the folder that this process was started in was deleted. */
export function isCurrentFolderGone(): boolean {
  try {
    // cwd() fails on both runtimes. Bun's path.resolve() would silently use another folder.
    process.cwd();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
