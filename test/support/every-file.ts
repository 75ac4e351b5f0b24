import fc from 'fast-check';
import { afterAll } from 'vitest';
import { removeSharedSandbox } from './sandbox.ts';
import { seed } from './seed.ts';

// Vitest runs this before each file (`setupFiles`), also where files share a process and its modules.
afterAll(removeSharedSandbox);
// Properties that name no seed would try other examples in every run.
fc.configureGlobal({ seed });
