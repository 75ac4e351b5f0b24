import type { Command } from '../command.ts';

/** What a command line results in, besides what it prints. */
export interface Output {
  /** What --version prints. */
  version: string;
  /** The command whose help was asked for; the empty text for that of the program. */
  helpOf: string | undefined;
  /** The exit status of a command that succeeded: that of the program which it ran. */
  status: number;
  /** Prints an error, and adds it to the log, while the command goes on. */
  report: (error: unknown) => void;
}

/** The commands, in the order of the help. Each is loaded only if the command line names it, so the version loads none. */
export const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  put: () => import('./put.ts'),
  get: () => import('./get.ts'),
  edit: () => import('./edit.ts'),
  list: () => import('./list.ts'),
  keys: () => import('./keys.ts'),
  find: () => import('./find.ts'),
  delete: () => import('./delete.ts'),
  putall: () => import('./putall.ts'),
  getall: () => import('./getall.ts'),
  copy: () => import('./copy.ts'),
  rekey: () => import('./rekey.ts'),
  migrate: () => import('./migrate.ts'),
  exec: () => import('./exec.ts'),
  render: () => import('./render.ts'),
  history: () => import('./history.ts'),
  rollback: () => import('./rollback.ts'),
  label: () => import('./label.ts'),
  unlabel: () => import('./unlabel.ts'),
  prune: () => import('./prune.ts'),
  setup: () => import('./setup.ts'),
  doctor: () => import('./doctor.ts'),
  policy: () => import('./policy.ts'),
  completion: () => import('./completion.ts'),
  help: () => import('./help.ts'),
  // What the scripts of `completion` call.
  __complete: () => import('./complete.ts'),
};
