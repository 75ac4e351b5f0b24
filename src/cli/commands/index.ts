import type { Grammar } from '../argparse.ts';
import type { Io } from '../terminal/io.ts';

export interface CommandModule {
  readonly register: (command: Grammar, io: Io, output: Output) => void;
}

/** What a command line results in, besides what it prints. */
export interface Output {
  /** What help and version print, asked for. */
  help: string;
  /** The same, not asked for. */
  error: string;
  /** The exit status of a command that succeeded: that of the program which it ran. */
  status: number;
}

/** The commands. Each is loaded only if the command line names it, so help and the version load none. */
export const COMMANDS: Readonly<
  Record<string, { summary?: string; load: () => Promise<CommandModule> }>
> = {
  setup: {
    summary: 'create the table, or the vault',
    load: () => import('./setup.ts'),
  },
  put: { summary: 'store a secret', load: () => import('./put.ts') },
  putall: { summary: 'store several secrets', load: () => import('./putall.ts') },
  get: {
    summary: 'print a secret, or those whose name matches',
    load: () => import('./get.ts'),
  },
  getall: { summary: 'print all secrets', load: () => import('./getall.ts') },
  render: { summary: 'fill secrets into a template', load: () => import('./render.ts') },
  list: { summary: 'list secrets and their versions', load: () => import('./list.ts') },
  keys: { summary: 'list the names of secrets', load: () => import('./keys.ts') },
  history: {
    summary: 'list the versions of a secret',
    load: () => import('./history.ts'),
  },
  rollback: {
    summary: 'store the value of an older version as a new one',
    load: () => import('./rollback.ts'),
  },
  label: {
    summary: 'set a label on a version, or move it there',
    load: () => import('./label.ts'),
  },
  unlabel: { summary: 'take a label away', load: () => import('./unlabel.ts') },
  delete: { summary: 'delete a secret', load: () => import('./delete.ts') },
  prune: { summary: 'delete old versions', load: () => import('./prune.ts') },
  rekey: {
    summary: 'move secrets to another KMS key',
    load: () => import('./rekey.ts'),
  },
  migrate: {
    summary: 'seal original entries in the current format, or back',
    load: () => import('./migrate.ts'),
  },
  copy: {
    summary: 'copy secrets to another table or vault',
    load: () => import('./copy.ts'),
  },
  exec: {
    summary: 'run a command with secrets in its environment',
    load: () => import('./exec.ts'),
  },
  doctor: {
    summary: 'look at all that it takes to work, and say what is wrong',
    load: () => import('./doctor.ts'),
  },
  policy: {
    summary: 'print the least-privilege IAM policy of a role',
    load: () => import('./policy.ts'),
  },
  completion: {
    summary: 'print the script that completes command lines',
    load: () => import('./completion.ts'),
  },
  // For those scripts.
  __complete: { load: () => import('./complete.ts') },
};

/** The commands that change nothing. After a timeout they can be run again. */
export const READERS = ['get', 'getall', 'render', 'list', 'keys', 'history', 'doctor', 'policy'];
/** The commands that continue with the rest when they are run again. */
export const RESUMED = ['rekey', 'migrate', 'copy', 'prune'];
