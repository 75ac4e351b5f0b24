import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { validate } from '@actions/languageservice';
import { buildSync } from 'esbuild';
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { makeFolder, removeFolder } from './temporary-folder.ts';

interface Parser {
  readonly validate: typeof validate;
  readonly TextDocument: typeof TextDocument;
}

/**
 * Loads GitHub's own parser of workflows and actions. It imports JSON in a way that only bundlers understand.
 *
 * @returns a function that gives what the parser has against the text of a file
 */
export async function loadGithubParser(): Promise<
  (text: string, language: 'workflow' | 'action') => Promise<string[]>
> {
  const folder = makeFolder();
  const outfile = join(folder, 'parser.mjs');
  buildSync({
    stdin: {
      contents: `export { validate } from '@actions/languageservice';
export { TextDocument } from 'vscode-languageserver-textdocument';`,
      resolveDir: import.meta.dirname,
    },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
  const parser = (await import(pathToFileURL(outfile).href)) as Parser;
  removeFolder(folder);
  let count = 0;
  return async (text, language) => {
    const name = language === 'workflow' ? '.github/workflows/x.yml' : 'action.yml';
    const id = `github-actions-${language}`;
    // It remembers what it found by the address.
    const address = `file:///${(count += 1)}/${name}`;
    const document = parser.TextDocument.create(address, id, 1, text);
    const found = await parser.validate(document);
    return found.map(
      ({ range, message }) => `line ${range.start.line + 1}: ${JSON.stringify(message)}`,
    );
  };
}
