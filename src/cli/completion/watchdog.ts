import { workerData } from 'node:worker_threads';

/*
 * A thread that ends the process after `workerData` milliseconds. It is a file of its own, dist/bin/watchdog.cjs, because
 * the single file runs no code that is given as a text (scripts/build-standalone.js).
 */
setTimeout(() => process.kill(process.pid, 'SIGKILL'), workerData as number);
