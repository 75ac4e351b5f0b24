import fc from 'fast-check';
import { seed } from './seed.ts';

// Vitest runs this before each file (`setupFiles`). Properties that name no seed would try other examples in every run.
fc.configureGlobal({ seed });
