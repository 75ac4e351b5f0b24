import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Those that whoever stops or talks to a program sends to its process. */
const ALWAYS = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
/** Those that a terminal sends to every process of its foreground group: the child has had them then. */
const OF_THE_TERMINAL = ['SIGINT', 'SIGQUIT', 'SIGWINCH'] as const;

/**
 * Gives a signal what the system does with it by default. Node.js ignores SIGPIPE and SIGXFSZ, and opens a debugger on
 * SIGUSR1; once the last listener goes, libuv sets the default, whatever it was before.
 */
export function restoreDefault(signal: NodeJS.Signals): void {
  const listener = (): void => undefined;
  process.on(signal, listener);
  process.off(signal, listener);
}

/**
 * Passes the signals of this process on to a child of the same process group, as soon as there is one, and stops with
 * it, so that the shell that waits for this process takes the terminal back.
 */
export function passOn(): {
  readonly to: (child: ChildProcess) => void;
  readonly stop: () => void;
} {
  let child: ChildProcess | undefined;
  const listeners = new Map<NodeJS.Signals, () => void>();
  const listen = (signal: NodeJS.Signals, listener: () => void): void => {
    listeners.set(signal, listener);
    process.on(signal, listener);
  };
  for (const signal of ALWAYS) listen(signal, () => child?.kill(signal));
  for (const signal of OF_THE_TERMINAL) {
    listen(signal, () => {
      if (!isInForeground()) child?.kill(signal);
    });
  }
  // Elsewhere nothing tells that a child has stopped: Ctrl-Z stops both of them at once.
  if (process.platform === 'linux') {
    // Not at once: an editor first puts the terminal back.
    listen('SIGTSTP', () => {
      if (!isInForeground()) child?.kill('SIGTSTP');
    });
    listen('SIGCONT', () => child?.kill('SIGCONT'));
    listen('SIGCHLD', () => {
      if (child?.pid === undefined || statOf(child.pid)?.state !== 'T') return;
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
      for (const [signal, listener] of listeners) process.off(signal, listener);
    },
  };
}

/** Whether what is typed at a terminal as a signal goes to this process's group. */
function isInForeground(): boolean {
  const stat = statOf(process.pid);
  if (stat) return stat.foreground === stat.group;
  // Loaded where it is needed: it takes the streams of Node.js with it.
  const { isatty } = process.getBuiltinModule('node:tty');
  return [0, 1, 2].some((fd) => isatty(fd));
}

/** Of a process: its state, its group, and the foreground group of its terminal (proc_pid_stat(5)); undefined where there is no /proc. */
function statOf(
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
