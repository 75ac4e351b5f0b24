import { constants } from 'node:os';
import { Io } from '../src/cli/terminal/io.ts';
import { main } from '../src/cli/main.ts';
import { report } from '../src/cli/report.ts';
import { restoreDefault } from '../src/cli/exec/signals.ts';

// A warning that is about security is for whoever runs the command. These two are for us: the SDK's notice about the age of
// Node.js, and what Node.js says of modules that may still change.
const listeners = process.listeners('warning');
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name === 'ExperimentalWarning') return;
  if (warning.message.startsWith('NodeVersionSupportWarning')) return;
  for (const listener of listeners) listener(warning);
});

// Node.js would open a debugger, reachable by everybody on the machine, in a process that holds secrets.
restoreDefault('SIGUSR1');
// Ctrl-\ would leave a core, with the secrets in it.
process.on('SIGQUIT', () => process.exit(128 + constants.signals.SIGQUIT));

const argv = process.argv.slice(2);
const io = new Io();

// Failure is the default: a process that ends before the command has finished did not do its work.
process.exitCode = 1;
let crash: number | undefined;
const crashed = (error: unknown): void => {
  process.exitCode = crash = report(error, argv, io);
};
process.on('uncaughtException', crashed);
// Node.js makes the other of it. Bun does not, and prints the error with its source and its properties.
process.on('unhandledRejection', crashed);

void main(argv, io).then((status) => {
  process.exitCode = crash ?? status;
  // A signal came, or the time is over, which nothing must outlive: not even a read of the terminal that has not ended.
  if (status > 128 || io.deadline?.isOver) process.exit();
});
