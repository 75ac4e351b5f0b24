#!/usr/bin/env node
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
process.on('uncaughtException', (error) => {
  process.exitCode = crash = report(error, argv, io);
});

void main(argv, io).then((status) => {
  process.exitCode = crash ?? status;
});
