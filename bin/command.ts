import { Io } from '../src/cli/io.ts';
import { main, report } from '../src/cli/main.ts';
import { restoreDefault } from '../src/cli/signals.ts';

// Warnings of Node.js and of the SDK are for us, not for whoever runs a command.
process.removeAllListeners('warning');

// Node.js would open a debugger, to everybody on the machine, in a process that has secrets.
restoreDefault('SIGUSR1');

const argv = process.argv.slice(2);
const io = new Io();

// Until the command has said otherwise: a process that ends before it did not do what was asked.
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
});
