import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { program, smallOutput } from '../rolldown.config.js';

// node bench/bundle.js FOLDER: bench/sdk.js, bundled as the command is. It runs in its own process, because the
// memory of bench/run.js would add to the time of each process that it starts.
const [, , dir = ''] = process.argv;
const bundle = await rolldown(program(join(import.meta.dirname, 'sdk.js')));
await bundle.write({ ...smallOutput, dir, entryFileNames: 'command.cjs' });
await bundle.close();
