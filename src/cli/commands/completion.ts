import { Argument } from 'commander';
import type { Grammar } from '../argv.ts';
import type { Io } from '../io.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

const INSTALL_HELP = `
In ~/.bashrc:               source <(credstash completion bash)
In ~/.zshrc, after compinit: source <(credstash completion zsh)
For fish, once:             credstash completion fish > ~/.config/fish/completions/credstash.fish`;

export function registerCompletion(program: Grammar, io: Io): void {
  program
    .command('completion')
    .summary('print the script that completes command lines')
    .description('Print the script that completes command lines of credstash in SHELL.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', INSTALL_HELP)
    .action(async (shell: Shell) => {
      const { SCRIPTS } = await import('../completion/scripts.ts');
      await io.write(SCRIPTS[shell]);
    });

  // What the scripts call, behind `--`: for bash the line up to the cursor and the part of it that readline would
  // replace, for the others the words, of which the last is the one to complete.
  program
    .command('__complete', { hidden: true })
    .argument('<shell>')
    .argument('[words...]')
    .action(async (shell: Shell, words: string[]) => {
      const { answer } = await import('../completion/answer.ts');
      await io.write(await answer(program, io, shell, words));
    });
}
