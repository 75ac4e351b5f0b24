import { defineCommand } from '../command.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

const INSTALL_HELP = `In ~/.bashrc:
  source <(credstash completion bash)
In ~/.zshrc, after compinit:
  source <(credstash completion zsh)
For fish, once:
  credstash completion fish > ~/.config/fish/completions/credstash.fish`;

export const command = defineCommand({
  name: 'completion',
  group: 'setup',
  summary: 'print the script that completes command lines',
  description: 'Print the script that completes command lines of credstash in SHELL.',
  arguments: [{ flags: '<shell>', description: 'the shell', choices: SHELLS }],
  options: {},
  notes: INSTALL_HELP,
  examples: [],
  run: async ({ args: [shell], io }) => {
    const { SCRIPTS } = await import('../completion/scripts.ts');
    await io.write(SCRIPTS[shell]);
  },
});
