import type { Command } from '../command.ts';

/** What a command line results in, besides what it prints. */
export interface Output {
  /** What help and version print, asked for. */
  help: string;
  /** The same, not asked for. */
  error: string;
  /** The exit status of a command that succeeded: that of the program which it ran. */
  status: number;
}

/** The commands, in the order of the help. Each is loaded only if the command line names it, so the version loads none. */
export const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  setup: () => import('./setup.ts'),
  put: () => import('./put.ts'),
  putall: () => import('./putall.ts'),
  get: () => import('./get.ts'),
  getall: () => import('./getall.ts'),
  render: () => import('./render.ts'),
  list: () => import('./list.ts'),
  keys: () => import('./keys.ts'),
  history: () => import('./history.ts'),
  rollback: () => import('./rollback.ts'),
  label: () => import('./label.ts'),
  unlabel: () => import('./unlabel.ts'),
  delete: () => import('./delete.ts'),
  prune: () => import('./prune.ts'),
  rekey: () => import('./rekey.ts'),
  migrate: () => import('./migrate.ts'),
  copy: () => import('./copy.ts'),
  exec: () => import('./exec.ts'),
  doctor: () => import('./doctor.ts'),
  policy: () => import('./policy.ts'),
  completion: () => import('./completion.ts'),
  // What the scripts of `completion` call.
  __complete: () => import('./complete.ts'),
};
