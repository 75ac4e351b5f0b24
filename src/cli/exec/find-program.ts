import { isAbsolute } from 'node:path';
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { CredstashError } from '../../errors.ts';
import { commandLine, shellWord } from '../../util/shell-word.ts';
import { stripFault } from '../../util/system-faults.ts';
import { readErrorCode } from '../../util/errno.ts';

/** The arguments of execve. */
export interface Program {
  readonly file: string;
  /** Its arguments, its own name first. */
  readonly argv: readonly string[];
  /** Whether execve is known to accept this file. */
  readonly isCertain: boolean;
}

/** The search path if PATH is unset, as in the C library. */
const DEFAULT_PATH = '/bin:/usr/bin';

/**
 * Finds the file of a command as execvp does: a command with a slash is the path of the file, any other is looked up in `path`.
 *
 * @param path the folders, separated by colons
 * @param args the command's arguments, for a hint
 * @throws CredstashError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
 */
export function findProgram(
  command: string,
  path = DEFAULT_PATH,
  args: readonly string[] = [],
): string {
  const files = command.includes('/')
    ? [command]
    : path.split(':').map((folder) => `${folder === '' ? '.' : folder}/${command}`);
  let denied: string | undefined;
  for (const file of command === '' ? [] : files) {
    const obstacle = findObstacle(file);
    if (obstacle === undefined) return file;
    if (obstacle === 'denied') denied ??= file;
  }
  if (denied !== undefined) {
    throw notExecutable(`the command ${denied} is not executable`, undefined, hintAtMode(denied));
  }
  throw notFound(
    `the command ${command === '' ? '""' : command} is not found`,
    hintForShellSyntax([command, ...args]),
  );
}

const ASSIGNMENT = /^[A-Za-z_]\w*=/;

/** Finds the hint for a command that uses shell syntax, which exec does not interpret. */
function hintForShellSyntax(words: readonly string[]): string | undefined {
  const [command = ''] = words;
  if (ASSIGNMENT.test(command)) {
    const end = words.findIndex((word) => !ASSIGNMENT.test(word));
    const shown = end === -1 ? [...words, 'COMMAND'] : words.slice(0, end + 1);
    return `COMMAND is run without a shell; env sets variables: credstash exec … -- ${commandLine(['env', ...shown])}`;
  }
  if (words.length === 1 && /\s/.test(command)) {
    return `COMMAND is run without a shell; give each word by itself, or: credstash exec … -- sh -c ${shellWord(command)}`;
  }
  return command.includes('/')
    ? `check the path, which is looked up in ${isAbsolute(command) ? '/' : 'the current folder'}: ${commandLine(['ls', '-l', command])}`
    : findHere(command);
}

/** The hint for a command that is not in PATH. */
function findHere(command: string): string {
  return command !== '' && findObstacle(`./${command}`) === undefined
    ? `a file of the current folder needs its path: ${commandLine([`./${command}`])}`
    : `check its spelling, and that PATH has its folder: ${commandLine(['command', '-v', command])}`;
}

function findObstacle(file: string): 'absent' | 'denied' | undefined {
  try {
    if (!statSync(file).isFile()) return 'denied';
    accessSync(file, constants.X_OK);
    return undefined;
  } catch (error) {
    const code = readErrorCode(error);
    return ['EACCES', 'EPERM'].includes(code) ? 'denied' : 'absent';
  }
}

/**
 * Makes the arguments of execve for a file that `findProgram` found. Like execvp, it runs a script without `#!` with /bin/sh.
 *
 * @param argv the arguments, the command's name first
 * @throws CredstashError COMMAND_NOT_FOUND or COMMAND_NOT_EXECUTABLE if the interpreter of a script or program is missing or
 *   not executable
 */
export function toProgram(file: string, argv: readonly string[]): Program {
  const head = readBytes(file, 0, 256);
  if (head !== undefined && !isBinary(head)) {
    return { file: '/bin/sh', argv: ['/bin/sh', file, ...argv.slice(1)], isCertain: true };
  }
  return { file, argv, isCertain: isLoadable(file) };
}

const SCRIPT = /^#![ \t]*([^ \t\n\0]+)/;
const ELF = '\x7fELF';
const ELF_HEADER_BYTES = 64;

/** Whether a file that begins so is for the kernel and not for a shell: an ELF file, a `#!` script, or other binary data. */
function isBinary(head: Buffer): boolean {
  const [line = ''] = head.toString('latin1').split('\n');
  return SCRIPT.test(line) || line.startsWith(ELF) || line.includes('\0');
}

/** The longest chain of interpreters of scripts (Linux, fs/exec.c). */
const MAX_DEPTH = 5;

/**
 * Whether the kernel is known to load a file: a script with an interpreter, or a program for the same machine as this process.
 * False is not an error: the kernel may emulate another machine, and the file may be executable but not readable.
 */
function isLoadable(file: string, depth = 0): boolean {
  const head = readBytes(file, 0, 256);
  if (head === undefined || depth > MAX_DEPTH) return false;
  const script = SCRIPT.exec(head.toString('utf8'))?.[1];
  if (script !== undefined) {
    checkInterpreter(script, file);
    return isLoadable(script, depth + 1);
  }
  if (head.length < ELF_HEADER_BYTES) return false;
  const own = readBytes(process.execPath, 0, 20);
  // Class, byte order and machine (System V ABI, ELF header).
  const isAlike = own?.compare(head, 4, 6, 4, 6) === 0 && own.compare(head, 18, 20, 18, 20) === 0;
  if (!head.toString('latin1').startsWith(ELF) || !isAlike) return false;
  const loader = findLoader(file, head);
  if (loader !== undefined) checkInterpreter(loader, file);
  return true;
}

/** Finds the dynamic loader of a program; undefined if it has none, or if its header is not 64-bit and little-endian. */
function findLoader(file: string, head: Buffer): string | undefined {
  const PT_INTERP = 3;
  if (head[4] !== 2 || head[5] !== 1) return undefined;
  const [start, size, count] = [
    head.readBigUInt64LE(32),
    head.readUInt16LE(54),
    head.readUInt16LE(56),
  ];
  const table = readBytes(file, Number(start), size * count);
  if (table === undefined || size < 56) return undefined;
  for (let offset = 0; offset + size <= table.length; offset += size) {
    if (table.readUInt32LE(offset) !== PT_INTERP) continue;
    const path = readBytes(
      file,
      Number(table.readBigUInt64LE(offset + 8)),
      Number(table.readBigUInt64LE(offset + 32)),
    );
    return path?.toString('utf8').replace(/\0.*$/s, '');
  }
  return undefined;
}

function checkInterpreter(interpreter: string, file: string): void {
  const obstacle = findObstacle(interpreter);
  if (obstacle === undefined) return;
  const subject = `the command ${file} needs ${interpreter}, which`;
  throw obstacle === 'denied'
    ? notExecutable(`${subject} is not executable`, undefined, hintAtMode(interpreter))
    : notFound(
        `${subject} does not exist`,
        `install ${interpreter}, or change the first line of ${file}`,
      );
}

/** Reads up to `length` bytes of a file; undefined if it cannot be read. */
function readBytes(file: string, position: number, length: number): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const bytes = Buffer.alloc(Math.min(length, 65_536));
    return bytes.subarray(0, readSync(fd, bytes, { position }));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function notFound(message: string, hint?: string): CredstashError {
  return new CredstashError('COMMAND_NOT_FOUND', message, { hint });
}

function notExecutable(message: string, cause?: Error, hint?: string): CredstashError {
  return new CredstashError('COMMAND_NOT_EXECUTABLE', message, { cause, hint });
}

function hintAtMode(file: string): string {
  const path = commandLine([file]);
  return statSync(file, { throwIfNoEntry: false })?.isDirectory()
    ? `${path} is a folder: name a program in it`
    : `make it executable with chmod +x ${path}, or run it by its interpreter`;
}

/** Makes the error of a program that the system did not start. Leaves out the message of `error`, which quotes the arguments. */
export function notStarted(file: string, error: unknown): CredstashError {
  const code = readErrorCode(error);
  if (code === 'E2BIG') {
    return new CredstashError(
      'TOO_LARGE',
      'the environment and the arguments are together larger than the system takes',
      { hint: 'take fewer secrets, or give large ones as files: --file NAME=SECRET' },
    );
  }
  if (code === 'ENOENT') {
    return notFound(`the command ${file} is not found`, hintForShellSyntax([file]));
  }
  return notExecutable(`the command ${file} cannot be started (${code})`, stripFault(error));
}
