import type { spawn as Spawn } from 'node:child_process';
import { constants } from 'node:os';
import { CredstashError } from '../../errors.ts';
import { saveTerminalSettings } from '../terminal/saved-settings.ts';
import type { Environment } from './environment.ts';
import { notStarted, type Program } from './find-program.ts';
import { endBySignal, forwardSignals } from './signals.ts';

/** A program that runs as a child. */
export interface Child {
  /** Resolves with its exit status or the signal that ended it. Rejects with a CredstashError if it cannot be started. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Sends a signal. @returns false if the child has ended */
  readonly kill: (signal: NodeJS.Signals) => boolean;
  readonly pid: number | undefined;
}

/**
 * Runs programs as children, one after the other. Each has this process's streams, process group and terminal, and gets its
 * signals.
 */
export class ChildHost {
  readonly #spawn: typeof Spawn;
  readonly #signals = forwardSignals();
  /** Restores the terminal as it was when the host was opened. */
  readonly restoreTerminal: () => void;

  private constructor(spawn: typeof Spawn, restoreTerminal: () => void) {
    this.#spawn = spawn;
    this.restoreTerminal = restoreTerminal;
  }

  static async open(): Promise<ChildHost> {
    // Loaded on use: help and a usage error do not need it.
    const { spawn, spawnSync } = await import('node:child_process');
    // child_process would add this variable to an environment without it.
    Reflect.deleteProperty(process.env, 'NODE_V8_COVERAGE');
    // Listens for signals before the child exists.
    return new ChildHost(spawn, saveTerminalSettings(spawnSync));
  }

  start({ file, argv }: Program, environment: Environment): Child {
    const [argv0 = '', ...args] = argv;
    try {
      const child = this.#spawn(file, args, { argv0, env: environment, stdio: 'inherit' });
      const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
        child.on('error', (error) => {
          reject(notStarted(file, error));
        });
        child.on('exit', (status, signal) => {
          resolve(signal ?? status ?? 1);
        });
      });
      // Awaited later. Until then a rejection must not count as unhandled.
      ended.catch(() => undefined);
      this.#signals.to(child);
      return { ended, kill: (signal) => child.kill(signal), pid: child.pid };
    } catch (error) {
      throw error instanceof CredstashError ? error : notStarted(file, error);
    }
  }

  /** The last signal that asked this process and its child to end, and when it came, as `performance.now()` has it. */
  get lastEnding(): { readonly signal: NodeJS.Signals; readonly at: number } | undefined {
    return this.#signals.lastEnding();
  }

  /**
   * Ends this process as the child ended, if that was by a signal by which this process can end.
   *
   * @returns the exit status otherwise
   */
  finish(ended: number | NodeJS.Signals): number {
    if (typeof ended === 'number') return ended;
    this.restoreTerminal();
    endBySignal(ended);
    return 128 + constants.signals[ended];
  }

  close(): void {
    this.#signals.stop();
  }
}
