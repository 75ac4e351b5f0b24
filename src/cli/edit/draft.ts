import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CredstashError } from '../../errors.ts';
import { readErrorCode } from '../../util/errno.ts';
import { ChildHost } from '../exec/child.ts';
import { PrivateFolder } from '../files/private-folder.ts';
import type { Io } from '../terminal/io.ts';
import { type Editor, toEditorProgram } from './editor.ts';
import { dropAddedNewline, isSameText, toFileName } from './text.ts';

const EDITOR_HINT =
  'set VISUAL or EDITOR to an editor that ends with status 0, such as EDITOR=nano';

/** The file in which a secret is edited. */
export class Draft {
  readonly #folder: PrivateFolder;
  /** The folder that has only the file, and what the editor writes beside it. */
  readonly #part: string;
  readonly #path: string;
  readonly #before: Uint8Array;
  #text: Uint8Array | undefined;

  private constructor(folder: PrivateFolder, name: string, before: Uint8Array) {
    this.#folder = folder;
    this.#part = folder.addPart();
    this.#path = join(this.#part, toFileName(name, before));
    this.#before = before;
    folder.write(this.#path, before);
  }

  /**
   * Writes the file. The caller must call `remove` or `keep`.
   *
   * @param before the value of the secret
   * @throws CredstashError IO
   */
  static async create(name: string, before: Uint8Array, io: Io): Promise<Draft> {
    const folder = await PrivateFolder.create((message) => {
      io.note(`credstash: warning: ${message}`);
    });
    try {
      return new Draft(folder, name, before);
    } catch (error) {
      folder.remove();
      throw error;
    }
  }

  /**
   * Runs the editor with the streams and the terminal of this process. If a signal ends this process and the editor, the file is
   * removed first.
   *
   * @returns 0 if the editor has succeeded; the exit status if a signal ended both and cannot end this process
   * @throws CredstashError EDITOR_FAILED; COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE
   */
  async edit(editor: Editor, io: Io): Promise<number> {
    const { program, environment } = toEditorProgram(editor, this.#path, this.#part);
    io.release();
    const host = await ChildHost.open();
    let ended: number | NodeJS.Signals;
    let wasAsked: boolean;
    try {
      ended = await host.start(program, environment).ended;
      // Emacs makes ^G a SIGINT, which reaches this process, too.
      wasAsked = ['SIGTERM', 'SIGHUP'].includes(host.lastEnding?.signal ?? '');
      if (typeof ended === 'string') {
        host.restoreTerminal();
        if (host.lastEnding?.signal === ended) {
          this.remove();
          return host.finish(ended);
        }
      }
    } finally {
      host.close();
    }
    if (ended === 0 && !wasAsked) return 0;
    const why = typeof ended === 'string' ? `was ended by ${ended}` : `ended with status ${ended}`;
    throw new CredstashError('EDITOR_FAILED', `the editor ${why}, so nothing was stored`, {
      hint: wasAsked ? undefined : EDITOR_HINT,
    });
  }

  /**
   * Reads the text that the editor has left, without the newline that it added.
   *
   * @returns undefined if the text is unchanged
   * @throws CredstashError EDITOR_FAILED, if there is no text
   */
  read(): Uint8Array | undefined {
    let after: Uint8Array;
    try {
      if (!lstatSync(this.#path).isFile()) throw Object.assign(new Error(), { code: 'not a file' });
      after = readFileSync(this.#path);
    } catch (error) {
      const message = `the text of the editor cannot be read (${readErrorCode(error)}), so nothing was stored`;
      throw new CredstashError('EDITOR_FAILED', message);
    }
    if (isSameText(this.#before, after)) return undefined;
    const text = dropAddedNewline(this.#before, after);
    if (isSameText(this.#before, text)) return undefined;
    if (text.length === 0) {
      throw new CredstashError('EDITOR_FAILED', 'the text is empty, so nothing was stored', {
        hint: "to store an empty secret, use put -a with '' as the value",
      });
    }
    this.#text = text;
    return text;
  }

  /** Called if this process ends before `remove` or `keep`. Default: `remove`. */
  set atEnd(atEnd: () => void) {
    this.#folder.atEnd = atEnd;
  }

  /**
   * Keeps the text of `read` in a file for the user, and removes everything else.
   *
   * @returns the path of the file
   * @throws Error of node:fs
   */
  keep(): string {
    if (this.#text !== undefined) this.#folder.rewrite(this.#path, this.#text);
    return this.#folder.keep(this.#path);
  }

  remove(): void {
    this.#folder.remove();
    this.#text?.fill(0);
  }
}
