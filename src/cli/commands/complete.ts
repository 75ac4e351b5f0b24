import { defineCommand } from '../command.ts';
import type { Grammar } from '../argparse.ts';

/**
 * What the scripts of `completion` call, behind `--`: for bash the line up to the cursor and the part of it that
 * readline would replace, for the others the words, of which the last is the one to complete.
 */
export const command = defineCommand({
  name: '__complete',
  summary: '',
  description: '',
  arguments: [
    { flags: '<shell>', description: 'the shell' },
    { flags: '[words...]', description: 'the command line' },
  ],
  options: {},
  examples: [],
  run: async ({ args: [shell, words], io, grammar }) => {
    const { answerCompletion } = await import('../completion/answer.ts');
    await io.write(await answerCompletion(grammar.parent as Grammar, io, shell, words));
  },
});
