import { constants } from 'node:os';
import { Io } from '../src/cli/terminal/io.ts';
import { main } from '../src/cli/main.ts';
import { report } from '../src/cli/report.ts';
import { restoreDefault } from '../src/cli/exec/signals.ts';

// Print warnings of Node.js, which may concern security, except two that are for developers: the SDK's notice about the age of
// Node.js, and the notice about experimental modules.
const listeners = process.listeners('warning');
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name === 'ExperimentalWarning') return;
  if (warning.message.startsWith('NodeVersionSupportWarning')) return;
  for (const listener of listeners) listener(warning);
});

// On SIGUSR1 Node.js would open a debugger, which everybody on the machine can reach, in a process that holds secrets.
restoreDefault('SIGUSR1');
// Ctrl-\ would leave a core dump with the secrets.
process.on('SIGQUIT', () => process.exit(128 + constants.signals.SIGQUIT));

const argv = process.argv.slice(2);
const io = new Io();

// Failure is the default, because a process that ends before its command has finished has not done its work.
process.exitCode = 1;
let crash: number | undefined;
const crashed = (error: unknown): void => {
  process.exitCode = crash = report(error, argv, io);
};
process.on('uncaughtException', crashed);
// Node.js turns an unhandled rejection into an uncaught exception. Bun prints the error with its source and properties.
process.on('unhandledRejection', crashed);

void main(argv, io).then((status) => {
  process.exitCode = crash ?? status;
  // After a signal or the time limit, end at once, even if a read of the terminal is pending.
  if (status > 128 || io.deadline?.isOver) process.exit();
});
