import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/** Signals that others send to a process to end it or to talk to it, whatever the runtime does with them. */
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
/** Signals by which a process leaves a core (signal(7)): one of this process would hold secrets. */
const DUMPS_CORE: readonly NodeJS.Signals[] = [
  ...(['SIGQUIT', 'SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGIOT', 'SIGBUS'] as const),
  ...(['SIGFPE', 'SIGSEGV', 'SIGXCPU', 'SIGXFSZ', 'SIGSYS'] as const),
];

/**
 * Restores the system's default action of a signal. Node.js ignores SIGPIPE and SIGXFSZ, and opens a debugger on
 * SIGUSR1; once the last listener goes, libuv sets the default, whatever it was before. Bun does the same.
 */
export function restoreDefault(signal: NodeJS.Signals): void {
  const listener = (): void => undefined;
  process.on(signal, listener);
  process.off(signal, listener);
}

/**
 * Ends this process by a signal, so that its parent sees what it would see of a program without a handler: a shell stops
 * its loop, and systemd takes SIGTERM for a clean stop. The caller must have restored the terminal.
 *
 * Returns where the process cannot or must not end so: as PID 1, which the system protects from signals without a handler,
 * where the parent blocked the signal, and for signals that leave a core. The exit status then has to tell.
 */
export function endBySignal(signal: NodeJS.Signals): void {
  if (process.pid === 1 || DUMPS_CORE.includes(signal)) return;
  // A signal emits no exit event: what the launcher has to write, it writes now.
  process.emit('exit', 128 + constants.signals[signal]);
  process.removeAllListeners(signal);
  // SIGKILL has no handler that could be reset.
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
    // Runtimes use some signals themselves: JavaScriptCore SIGPWR, V8's profiler SIGPROF.
    ...UNCOMMON.filter((signal) => signal in constants.signals && !has(caught | ignored, signal)),
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

/** The signals that this process catches and ignores, as sets of bits (proc_pid_status(5)); empty where there is no /proc. */
function readDispositions(): { readonly caught: bigint; readonly ignored: bigint } {
  let status = '';
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch {
    // Elsewhere no runtime is known to use one of these signals.
  }
  const mask = (name: string): bigint =>
    BigInt(`0x${RegExp(`^${name}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1] ?? '0'}`);
  return { caught: mask('SigCgt'), ignored: mask('SigIgn') };
}

/**
 * Passes the signals of this process on to a child of the same process group, as soon as there is one, and stops with
 * it, so that the shell that waits for this process takes the terminal back.
 */
export function forwardSignals(): {
  readonly to: (child: ChildProcess) => void;
  readonly stop: () => void;
} {
  let child: ChildProcess | undefined;
  const listeners = new Map<NodeJS.Signals, () => void>();
  const listen = (signal: NodeJS.Signals, listener: () => void): void => {
    listeners.set(signal, listener);
    process.on(signal, listener);
  };
  const pass = (signal: NodeJS.Signals): void => {
    if (!OF_THE_TERMINAL.includes(signal) || !isInForeground()) child?.kill(signal);
  };
  const stopPassing = onEndingSignal(pass);
  listen('SIGWINCH', () => {
    pass('SIGWINCH');
  });
  // Elsewhere nothing tells that a child has stopped: Ctrl-Z stops both of them at once.
  if (process.platform === 'linux') {
    // Not at once: an editor first puts the terminal back.
    listen('SIGTSTP', () => {
      pass('SIGTSTP');
    });
    listen('SIGCONT', () => child?.kill('SIGCONT'));
    listen('SIGCHLD', () => {
      if (child?.pid === undefined || readStat(child.pid)?.state !== 'T') return;
      // Not SIGSTOP, by which some shells say something else.
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
    stop: () => {
      stopPassing();
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
}

/** Whether what is typed at a terminal as a signal goes to this process's group. */
export function isInForeground(): boolean {
  const stat = readStat(process.pid);
  if (stat) return stat.foreground === stat.group;
  // Loaded on use, because it loads the streams of Node.js.
  const { isatty } = process.getBuiltinModule('node:tty');
  return [0, 1, 2].some((fd) => isatty(fd));
}

/** Of a process: its state, its group, and the foreground group of its terminal (proc_pid_stat(5)); undefined where there is no /proc. */
function readStat(
  pid: number,
): { readonly state: string; readonly group: number; readonly foreground: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name of the program is in parentheses, and may have any character in it.
    const [state = '', , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state, group: Number(group), foreground: Number(foreground) };
  } catch {
    return undefined;
  }
}
