#!/usr/bin/env node
import { join } from 'node:path';
import { load } from './code-cache.ts';

// The command itself. What is built is two files, so that this one can lay V8's code cache over the other.
load(join(import.meta.dirname, 'command.cjs'));
