import { workerData } from 'node:worker_threads';

/*
 * A thread that ends the process after `workerData` milliseconds. It is a separate file, dist/bin/watchdog.cjs, because the
 * single file refuses to run code from a text (scripts/build-standalone.js).
 */
setTimeout(() => process.kill(process.pid, 'SIGKILL'), workerData as number);
