import { Argument, type Command } from 'commander';
import { parseContext } from '../../model/context.ts';
import { CredstashError } from '../../errors.ts';
import { visibleJson } from '../../format/visible.ts';
import { ROLES, type Role } from '../../iam-policy.ts';
import { chooseBackend } from '../options/backend.ts';
import type { Io } from '../terminal/io.ts';
import { collect } from '../options/collect.ts';
import { optionsOf, resolveSettings } from '../options/settings.ts';

interface Options {
  readonly key?: string;
  readonly name?: string;
  readonly context?: readonly string[];
  readonly account?: string;
}

const ROLES_HELP = `
Roles:
  reader  reads secrets
  writer  stores secrets, and cannot read them
  admin   reads, stores, labels, deletes, rekeys, migrates and copies secrets;
          it needs the key's ARN (-k)
  setup   creates the table and the key: attach its policy for the hour of the
          setup, then detach it`;

export function register(command: Command, io: Io): void {
  command
    .description('Print the least-privilege IAM policy of a role, as JSON. No request is made.')
    .addArgument(new Argument('<role>', 'whom it is for').choices(ROLES))
    .option('-k, --key <key>', 'KMS key: alias, id or ARN (default: alias/credstash)')
    .option('--name <glob>', 'only secrets whose name matches, * for any run of characters')
    .option(
      '--context <key=value>',
      'only secrets with exactly this encryption context; can be repeated',
      collect,
    )
    .option(
      '--account <id>',
      "number of the account of the table and the key (default: the caller's)",
    )
    .addHelpText('after', ROLES_HELP)
    .action(async (role: Role, _: unknown, command: Command) => {
      const options = optionsOf(command) as Options;
      const { name, account } = options;
      const context = parseContext(options.context ?? []);
      if (resolveSettings(options).backend === 'local') {
        throw new CredstashError('USAGE', 'a policy is for AWS, and the local vault is chosen', {
          hint: 'run it without --local and CREDSTASH_LOCAL',
        });
      }
      await chooseBackend(
        command,
        io,
      )(async (credstash) => {
        const policy = await credstash.policy(role, { name, context, account });
        await io.write(visibleJson(policy, 2));
        if (name !== undefined && role !== 'writer') {
          io.note(
            'credstash: note: this allows no dynamodb:Scan, which cannot be narrowed to names: list, keys, getall and patterns with * are denied; get NAME, references and exec --env work',
          );
        }
        // A script has read what the role is for.
        if (role === 'setup' && io.columns('stderr') !== undefined) {
          io.note(
            'credstash: warning: attach this policy for the hour of the setup, then detach it',
          );
        }
      });
    });
}
