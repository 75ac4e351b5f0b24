import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** Signals that other processes send to end a process or to notify it, whatever the runtime does with them. */
const COMMON = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
/**
 * The other signals that end a process by default and that Node.js can catch. Those of a fault (SIGSEGV, SIGBUS, SIGFPE,
 * SIGILL) are left out: after a handler of libuv the instruction would fault again, for ever.
 */
const UNCOMMON = [
  ...['SIGALRM', 'SIGVTALRM', 'SIGPROF', 'SIGIO', 'SIGPWR', 'SIGSTKFLT'],
  ...['SIGABRT', 'SIGTRAP', 'SIGSYS', 'SIGXCPU'],
] as readonly NodeJS.Signals[];
/** Signals that a terminal sends to every process of its foreground group, so that the child gets them directly. */
const OF_THE_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGWINCH', 'SIGTSTP'];
/** Signals that ask a program to end. SIGHUP does if the terminal has gone, and often asks only to read the settings again. */
const ASKS_TO_END: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'];
/** Signals that leave a core dump (signal(7)). A dump of this process would contain secrets. */
const DUMPS_CORE: readonly NodeJS.Signals[] = [
  ...(['SIGQUIT', 'SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGIOT', 'SIGBUS'] as const),
  ...(['SIGFPE', 'SIGSEGV', 'SIGXCPU', 'SIGXFSZ', 'SIGSYS'] as const),
];

/**
 * Restores the system's default action of a signal. Node.js ignores SIGPIPE and SIGXFSZ, and opens a debugger on SIGUSR1. When
 * the last listener is removed, libuv sets the default action, whatever it was before. Bun does the same.
 */
export function restoreDefault(signal: NodeJS.Signals): void {
  const listener = (): void => undefined;
  process.on(signal, listener);
  process.off(signal, listener);
}

/**
 * Ends this process by a signal, so that its parent sees the same as for a program without a handler: a shell stops its loop,
 * and systemd counts SIGTERM as a clean stop. The caller must restore the terminal first.
 *
 * Returns if the process cannot end so, and the exit status must then tell: the process is PID 1, which the system protects
 * from signals without a handler; the parent blocked the signal; or the signal leaves a core dump.
 */
export function endBySignal(signal: NodeJS.Signals): void {
  if (process.pid === 1 || DUMPS_CORE.includes(signal)) return;
  // A signal emits no exit event. Emit it here, so that the launcher writes its code cache.
  process.emit('exit', 128 + constants.signals[signal]);
  process.removeAllListeners(signal);
  // SIGKILL can have no handler.
  if (signal !== 'SIGKILL') restoreDefault(signal);
  process.kill(process.pid, signal);
}

/**
 * Calls `listener` for each signal that would end this process, instead of the existing listeners.
 *
 * @returns a function that restores those listeners
 */
export function onEndingSignal(listener: (signal: NodeJS.Signals) => void): () => void {
  const { caught, ignored } = readDispositions();
  const has = (mask: bigint, signal: NodeJS.Signals): boolean =>
    ((mask >> BigInt(constants.signals[signal] - 1)) & 1n) === 1n;
  const signals = [
    ...COMMON.filter((signal) => !has(ignored, signal)),
    // Runtimes use some signals themselves, without a listener: JavaScriptCore SIGPWR, V8's profiler SIGPROF.
    ...UNCOMMON.filter(
      (signal) =>
        signal in constants.signals &&
        (process.listenerCount(signal) > 0 || !has(caught | ignored, signal)),
    ),
  ];
  const undo = signals.map((signal) => {
    const others = process.listeners(signal);
    process.on(signal, listener);
    for (const other of others) process.off(signal, other);
    return () => {
      for (const other of others) process.on(signal, other);
      process.off(signal, listener);
    };
  });
  return () => {
    for (const each of undo) each();
  };
}

/** Reads which signals this process catches and ignores, as bit sets (proc_pid_status(5)); both empty without /proc. */
function readDispositions(): { readonly caught: bigint; readonly ignored: bigint } {
  let status = '';
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch {
    // On systems without /proc, no runtime is known to use these signals.
  }
  const mask = (name: string): bigint =>
    BigInt(`0x${RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`);
  return { caught: mask('SigCgt'), ignored: mask('SigIgn') };
}

/**
 * Starts to forward the signals of this process to a child in the same process group. If the child is stopped, stops this
 * process as well, so that the shell takes the terminal back.
 *
 * @returns `to` names the child, once it exists, and later the next one; `lastEnding` gives the last signal that asked to end, and
 *   when it came, as `performance.now()` has it; `stop` removes the listeners
 */
export function forwardSignals(): {
  readonly to: (child: ChildProcess) => void;
  readonly lastEnding: () => { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  readonly stop: () => void;
} {
  let child: ChildProcess | undefined;
  let lastEnding: { readonly signal: NodeJS.Signals; readonly at: number } | undefined;
  const listeners = new Map<NodeJS.Signals, () => void>();
  const listen = (signal: NodeJS.Signals, listener: () => void): void => {
    listeners.set(signal, listener);
    process.on(signal, listener);
  };
  const pass = (signal: NodeJS.Signals): void => {
    if (ASKS_TO_END.includes(signal)) lastEnding = { signal, at: performance.now() };
    if (!OF_THE_TERMINAL.includes(signal) || !isInForeground()) child?.kill(signal);
  };
  const stopPassing = onEndingSignal(pass);
  listen('SIGWINCH', () => {
    pass('SIGWINCH');
  });
  // Only Linux shows that a child has stopped. On other systems Ctrl-Z stops both processes at once.
  if (process.platform === 'linux') {
    // Do not stop this process yet: an editor first restores the terminal, and stops then (SIGCHLD below).
    listen('SIGTSTP', () => {
      pass('SIGTSTP');
    });
    listen('SIGCONT', () => child?.kill('SIGCONT'));
    listen('SIGCHLD', () => {
      if (child?.pid === undefined || readStat(child.pid)?.state !== 'T') return;
      // Some shells report SIGSTOP differently from Ctrl-Z.
      const listener = listeners.get('SIGTSTP');
      if (listener) process.off('SIGTSTP', listener);
      process.kill(process.pid, 'SIGTSTP');
      if (listener) process.on('SIGTSTP', listener);
    });
  }
  return {
    to: (started) => {
      child = started;
    },
    lastEnding: () => lastEnding,
    stop: () => {
      stopPassing();
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
}

/** Whether this process is in the foreground group of its terminal, which gets the signals of keys such as Ctrl-C. */
export function isInForeground(): boolean {
  const stat = readStat(process.pid);
  if (stat) return stat.foreground === stat.group;
  // Loaded on use, because it loads the streams of Node.js.
  const { isatty } = process.getBuiltinModule('node:tty');
  return [0, 1, 2].some((fd) => isatty(fd));
}

/**
 * Reads the state and the group of a process, and the foreground group of its terminal (proc_pid_stat(5)).
 *
 * @returns undefined without /proc
 */
export function readStat(
  pid: number,
): { readonly state: string; readonly group: number; readonly foreground: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The program's name is in parentheses, and may contain any character.
    const [state = '', , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state, group: Number(group), foreground: Number(foreground) };
  } catch {
    return undefined;
  }
}
