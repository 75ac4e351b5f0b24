#!/usr/bin/env node
import { Io } from '../src/cli/io.ts';
import { main, report } from '../src/cli/main.ts';

// Warnings of Node.js and of the SDK are for us, not for whoever runs a command.
process.removeAllListeners('warning');

const argv = process.argv.slice(2);
const io = new Io();

process.on('uncaughtException', (error) => {
  process.exitCode = report(error, argv, io);
});

void main(argv, io).then((status) => {
  process.exitCode = status;
});
