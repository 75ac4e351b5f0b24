import manifest from '../../../package.json' with { type: 'json' };
import { GLOBAL_OPTIONS } from '../options/global.ts';
import { loadCommands } from './index.ts';
import { formatManPages, type ManPage } from './man.ts';
import { formatReference } from './reference.ts';

/** What scripts/reference.js writes: the reference in Markdown, and the pages of the manual. */
export async function makeDocuments(): Promise<{ reference: string; manual: ManPage[] }> {
  const commands = await loadCommands();
  return {
    reference: formatReference(commands, GLOBAL_OPTIONS),
    manual: formatManPages(commands, GLOBAL_OPTIONS, manifest.version),
  };
}
