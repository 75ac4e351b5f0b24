import type { Command } from 'commander';
import type { Grammar } from '../argparse.ts';
import type { Io } from '../terminal/io.ts';
import type { Shell } from './completion.ts';

/**
 * What the scripts of `completion` call, behind `--`: for bash the line up to the cursor and the part of it that
 * readline would replace, for the others the words, of which the last is the one to complete.
 */
export function register(command: Command, io: Io): void {
  command
    .argument('<shell>')
    .argument('[words...]')
    .action(async (shell: Shell, words: string[]) => {
      const { answerCompletion } = await import('../completion/answer.ts');
      await io.write(await answerCompletion(command.parent as Grammar, io, shell, words));
    });
}
