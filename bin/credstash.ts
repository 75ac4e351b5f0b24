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
  const { code, stack } = error as { code?: unknown; stack?: string };
  const message = `the files of credstash itself cannot be read (${String(code)})`;
  // Node.js would print the line of source that throws, and a file of the bundle is one line.
  const text =
    hint === undefined
      ? (stack ?? String(error))
      : `credstash: error: ${message}\ncredstash: hint: ${hint}`;
  writeSync(2, `${text}\n`);
  process.exitCode = 1;
}
