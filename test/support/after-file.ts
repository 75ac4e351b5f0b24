import { afterAll } from 'vitest';
import { removeSharedSandbox } from './sandbox.ts';

// Vitest runs this before each file (`setupFiles`), also where files share a process and its modules.
afterAll(removeSharedSandbox);
