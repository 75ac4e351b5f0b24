import { defineCommand } from '../command.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const command = defineCommand({
  name: 'completion',
  group: 'setup',
  summary: 'print the script that completes command lines',
  description: 'Print the script that completes command lines of credstash in SHELL.',
  arguments: [{ flags: '<shell>', description: 'the shell', choices: SHELLS }],
  options: {},
  examples: [
    { line: 'source <(credstash completion bash)', description: 'In ~/.bashrc' },
    { line: 'source <(credstash completion zsh)', description: 'In ~/.zshrc, after compinit' },
    {
      line: 'credstash completion fish > ~/.config/fish/completions/credstash.fish',
      description: 'For fish, once',
    },
  ],
  run: async ({ args: [shell], io }) => {
    const { SCRIPTS } = await import('../completion/scripts.ts');
    await io.write(SCRIPTS[shell]);
  },
});
