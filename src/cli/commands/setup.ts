import type { Command } from 'commander';
import { visible } from '../../format/visible.ts';
import { withBackend } from '../backend.ts';
import type { Io } from '../io.ts';

export function registerSetup(program: Command, io: Io): void {
  program
    .command('setup')
    .summary('create the table, or the vault')
    .description(
      'Create the DynamoDB table, or with --local the vault. One that is there is left alone.',
    )
    .action(async (_: unknown, command: Command) => {
      await withBackend(command, io, async ({ setup, location }) => {
        const created = await setup(() => {
          io.note(`waiting until ${location} is active`);
        });
        const subject = visible(location.replace('the', 'The'));
        await io.write(created ? `${subject} has been created\n` : `${subject} already exists\n`);
      });
    });
}
