import { CredstashError } from '../../errors.ts';
import { joinPieces } from '../../format/pieces.ts';
import { decodeUtf8 } from '../../util/utf8.ts';
import { defineOptions, type OptionValues } from '../options/define.ts';
import type { Io } from '../terminal/io.ts';
import { markHeading } from '../terminal/style.ts';
import { toChunks, wipeEach } from './chunks.ts';

/** The options of a command that prints secrets. */
export const OUTPUT_OPTIONS = defineOptions({
  output: {
    flags: '-o, --output <file>',
    description: 'write exactly the bytes to FILE, which only you can read; - is stdout',
  },
  force: { flags: '--force', description: 'write binary bytes to a terminal too' },
});

export type OutputOptions = OptionValues<typeof OUTPUT_OPTIONS>;

/** The destination of a command's secrets: stdout or a file. */
export interface Output {
  /** Computed on use, because looking loads a slow module of Node.js. */
  readonly isTerminal: boolean;
  /**
   * Writes `data` to the file, or `data` and `end` to stdout. The caller wipes bytes; what is made of pieces is wiped here.
   *
   * @param data bytes, or pieces of a text, which can be iterated again
   * @throws CredstashError USAGE if binary bytes would go to a terminal, or if no file can be created in the folder; IO if the
   *   write fails, such as on a full disk
   */
  readonly write: (data: Uint8Array | Iterable<string>, end?: string) => Promise<void>;
}

/** The file of `-o`; undefined for stdout, also for `-`. */
export function outputPath({ output }: OutputOptions): string | undefined {
  return output === '-' ? undefined : output;
}

/**
 * Opens the output, and checks its file before the first request.
 *
 * @throws CredstashError USAGE if the file cannot be written
 */
export async function openOutput(io: Io, options: OutputOptions): Promise<Output> {
  const file = outputPath(options);
  if (file !== undefined) {
    // Loaded on use, because help and usage errors do not need it.
    const write = (await import('./output-file.ts')).openOutputFile(file);
    return {
      isTerminal: false,
      write: (data) => {
        write(data instanceof Uint8Array ? [data] : wipeEach(toChunks(data)));
        return Promise.resolve();
      },
    };
  }
  return {
    get isTerminal() {
      return io.isTerminal('stdout');
    },
    write: async (data, end = '') => {
      const isGuarded = !options.force && io.isTerminal('stdout');
      if (!(data instanceof Uint8Array)) {
        const pieces = joinPieces(data, [end]);
        // All pieces are looked at before the first one is printed.
        if (isGuarded && hasControl(pieces)) throw binaryOnTerminal();
        for (const chunk of wipeEach(toChunks(pieces))) await io.write(chunk);
        return;
      }
      // One write, so that a reader never sees a secret without its line break.
      const all = end === '' ? data : Buffer.concat([data, Buffer.from(end)]);
      try {
        if (isGuarded && isBinary(all)) throw binaryOnTerminal();
        await io.write(all);
      } finally {
        if (all !== data) all.fill(0);
      }
    },
  };
}

/** The destination of a list. */
export interface ListOutput {
  /** The width of the terminal; undefined for a file or a pipe. */
  readonly columns: number | undefined;
  readonly write: (text: string, style?: 'table') => Promise<void>;
}

/**
 * Opens the output of a command that lists, and checks its file before the first request. A file gets what a pipe would get.
 *
 * @throws CredstashError USAGE if the file cannot be written
 */
export async function openListOutput(
  io: Io,
  { output: file }: Pick<OutputOptions, 'output'>,
): Promise<ListOutput> {
  if (file === undefined || file === '-') {
    return {
      get columns() {
        return io.columns('stdout');
      },
      write: (text, style) =>
        io.write(style === 'table' ? markHeading(text, io.style('stdout')) : text),
    };
  }
  const { write } = await openOutput(io, { output: file });
  return { columns: undefined, write: (text) => write(Buffer.from(text)) };
}

function isBinary(bytes: Uint8Array): boolean {
  const text = decodeUtf8(bytes);
  return text === undefined || hasControl([text]);
}

function hasControl(pieces: Iterable<string>): boolean {
  // A terminal obeys every control character except TAB, LF and CR LF.
  for (const piece of pieces) if (/(?![\t\n])(?!\r\n)\p{Cc}/u.test(piece)) return true;
  return false;
}

function binaryOnTerminal(): CredstashError {
  return new CredstashError('USAGE', 'the output is not text, and is not written to a terminal', {
    hint: 'add -o FILE to write it to a file, or | cat -v to look at it; --force writes it to the terminal',
  });
}
