import { CredstashError } from '../../errors.ts';
import { decodeUtf8 } from '../../util/utf8.ts';
import { defineOptions, type OptionValues } from '../options/define.ts';
import type { Io } from '../terminal/io.ts';

/** The options of a command that prints secrets. */
export const OUTPUT_OPTIONS = defineOptions({
  output: {
    flags: '-o, --output <file>',
    description: 'write exactly the bytes to FILE, which only you can read; - is stdout',
  },
  force: { flags: '--force', description: 'write binary bytes to a terminal too' },
});

export type OutputOptions = OptionValues<typeof OUTPUT_OPTIONS>;

/** Where a command prints secrets. */
export interface Output {
  /** A function, because its module of Node.js is slow to load. */
  readonly isTerminal: boolean;
  /**
   * Writes to stdout, or to the file exactly `bytes`.
   *
   * @param end what stdout gets after them
   * @throws CredstashError USAGE where binary bytes would go to a terminal, or the folder takes no file; IO when the disk
   *   is full and the like
   */
  readonly write: (bytes: Uint8Array, end?: string) => Promise<void>;
}

/** The file of `-o`; undefined for stdout, also for `-`. */
export function outputPath({ output }: OutputOptions): string | undefined {
  return output === '-' ? undefined : output;
}

/**
 * Checks where the output goes, before anything is asked of a backend.
 *
 * @throws CredstashError USAGE where the file cannot be one
 */
export async function openOutput(io: Io, options: OutputOptions): Promise<Output> {
  const file = outputPath(options);
  if (file !== undefined) {
    // Loaded on use, because help and usage errors do not need it.
    const write = (await import('./output-file.ts')).openOutputFile(file);
    return {
      isTerminal: false,
      write: (bytes) => {
        write(bytes);
        return Promise.resolve();
      },
    };
  }
  return {
    get isTerminal() {
      return io.isTerminal('stdout');
    },
    write: async (bytes, end = '') => {
      const all = end === '' ? bytes : Buffer.concat([bytes, Buffer.from(end)]);
      if (!options.force && isBinary(all) && io.isTerminal('stdout')) throw binaryOnTerminal();
      await io.write(all);
    },
  };
}

/** A control character but TAB, LF and CR LF: one that a terminal obeys. */
const CONTROL = /(?![\t\n])(?!\r\n)\p{Cc}/u;

function isBinary(bytes: Uint8Array): boolean {
  const text = decodeUtf8(bytes);
  return text === undefined || CONTROL.test(text);
}

function binaryOnTerminal(): CredstashError {
  return new CredstashError('USAGE', 'the output is not text, and is not written to a terminal', {
    hint: 'add -o FILE to write it to a file, or | cat -v to look at it; --force writes it to the terminal',
  });
}
