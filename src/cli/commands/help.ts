import { defineCommand } from '../command.ts';

export const command = defineCommand({
  name: 'help',
  group: 'setup',
  summary: 'explain a command or a topic',
  description:
    'Explain a command, or one of the topics options, references, formats, exit-status and environment.',
  arguments: [{ flags: '[topic]', description: 'name of a command or a topic' }],
  options: {},
  examples: [
    { line: 'credstash help get', description: 'Explain get' },
    { line: 'credstash help exit-status', description: 'Explain the exit statuses' },
  ],
  run: async ({ args: [topic], io }) => {
    const { findPage, pageOptions } = await import('../help/index.ts');
    await io.write(await findPage(topic, pageOptions(io)));
  },
});
