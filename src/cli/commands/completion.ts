import { Argument, type Command } from 'commander';
import type { Io } from '../terminal/io.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const INSTALL_HELP = `
In ~/.bashrc:
  source <(credstash completion bash)
In ~/.zshrc, after compinit:
  source <(credstash completion zsh)
For fish, once:
  credstash completion fish > ~/.config/fish/completions/credstash.fish`;

export function register(command: Command, io: Io): void {
  command
    .description('Print the script that completes command lines of credstash in SHELL.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText('after', INSTALL_HELP)
    .action(async (shell: Shell) => {
      const { SCRIPTS } = await import('../completion/scripts.ts');
      await io.write(SCRIPTS[shell]);
    });
}
