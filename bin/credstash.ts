#!/usr/bin/env node
import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { findFaultHint } from '../src/util/system-faults.ts';
import { load } from './code-cache.ts';

// Loads the command, which is built as a file of its own, so that this one can load it from V8's code cache.
try {
  load(join(import.meta.dirname, 'command.cjs'));
} catch (error) {
  const hint = findFaultHint(error);
  if (hint === undefined) throw error;
  const { code } = error as { code: string };
  const message = `the files of credstash itself cannot be read (${code})`;
  writeSync(2, `credstash: error: ${message}\ncredstash: hint: ${hint}\n`);
  process.exitCode = 1;
}
