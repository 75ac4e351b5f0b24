import { CredstashError } from '../../errors.ts';

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const CTRL_U = 0x15;
const ENTER = [0x0a, 0x0d];
const ERASE = [0x08, 0x7f];
const TAB = 0x09;
const SPACE = 0x20;

/*
 * Arrow keys, function keys and the ends of a bracketed paste arrive as escape sequences (ECMA-48, 5.4), possibly in one read
 * with other keys. They do not belong in a secret.
 */
// oxlint-disable-next-line no-control-regex -- the pattern looks for control characters
const KEY_SEQUENCES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|O?[ -~])?/g;
// oxlint-disable-next-line no-control-regex -- as above
const UNFINISHED_SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*|O)?$/;

/** The hints of the errors, which name what the command can do instead. */
export interface PromptHints {
  /** If nothing was typed. */
  readonly nothing?: string;
  /** If more than one line was pasted. */
  readonly lines?: string;
}

/**
 * Reads one line that is typed in raw mode, up to Enter or Ctrl-D. It returns bytes, unlike node:readline, so that a secret in
 * another encoding than UTF-8 stays unchanged.
 *
 * @returns the line without its end; SIGINT for Ctrl-C, which is a byte in raw mode
 * @throws CredstashError USAGE if nothing was typed, or more than one line was pasted
 */
export async function readHidden(
  keys: AsyncIterable<Uint8Array>,
  hints: PromptHints = {},
): Promise<Uint8Array | 'SIGINT'> {
  const line: number[] = [];
  let unfinished = '';
  for await (const chunk of keys) {
    const text = unfinished + Buffer.from(chunk).toString('latin1');
    // On a slow connection, one sequence may arrive in two reads.
    unfinished = UNFINISHED_SEQUENCE.exec(text)?.[0] ?? '';
    const typed = text.slice(0, text.length - unfinished.length).replace(KEY_SEQUENCES, '');
    const bytes = [...Buffer.from(typed, 'latin1')];
    const end = bytes.findIndex((byte) => ENTER.includes(byte));
    for (const byte of end === -1 ? bytes : bytes.slice(0, end)) {
      if (byte === CTRL_C) return 'SIGINT';
      if (byte === CTRL_D) return finishLine(line, hints.nothing);
      if (byte === CTRL_U) line.length = 0;
      else if (ERASE.includes(byte)) eraseCharacter(line);
      else if (byte >= SPACE || byte === TAB) line.push(byte);
    }
    if (end === -1) continue;
    if (bytes.slice(end).some((byte) => !ENTER.includes(byte))) {
      throw new CredstashError('USAGE', 'more than one line was pasted', {
        hint: hints.lines,
      });
    }
    return finishLine(line, hints.nothing);
  }
  return finishLine(line, hints.nothing);
}

function finishLine(line: number[], hint: string | undefined): Uint8Array {
  if (line.length > 0) return Uint8Array.from(line);
  throw new CredstashError('USAGE', 'nothing was typed', { hint });
}

function eraseCharacter(line: number[]): void {
  // Erase the continuation bytes of UTF-8 (10xxxxxx) together with the first byte of their character.
  while (line.length > 0 && ((line.pop() ?? 0) & 0xc0) === 0x80);
}
