import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { output, program } from '../rolldown.config.js';

// node bench/bundle.js FOLDER: bench/sdk.js, bundled as the command is. A process of its own: what bench/run.js holds in memory
// is a part of what it takes to start another.
const [, , dir = ''] = process.argv;
const bundle = await rolldown(program(join(import.meta.dirname, 'sdk.js')));
await bundle.write({ ...output, dir, entryFileNames: 'command.cjs' });
await bundle.close();
