import { parseContext } from '../../model/context.ts';
import { CredstashError } from '../../errors.ts';
import { formatVisibleJson } from '../../format/visible.ts';
import { ROLES } from '../../iam-policy.ts';
import { defineCommand } from '../command.ts';
import { chooseBackend } from '../options/backend.ts';
import { resolveSettings } from '../options/settings.ts';

const ROLES_HELP = `Roles:
  reader  reads secrets
  writer  stores secrets, and cannot read them
  admin   reads, stores, labels, deletes, rekeys, migrates and copies secrets;
          it needs the key's ARN (-k)
  setup   creates the table and the key: attach its policy for the hour of the
          setup, then detach it`;

export const command = defineCommand({
  name: 'policy',
  group: 'setup',
  summary: 'print the least-privilege IAM policy of a role',
  description: 'Print the least-privilege IAM policy of a role, as JSON. No request is made.',
  arguments: [{ flags: '<role>', description: 'whom it is for', choices: ROLES }],
  options: {
    key: {
      flags: '-k, --key <key>',
      description: 'KMS key: alias, id or ARN (default: alias/credstash)',
    },
    name: {
      flags: '--name <glob>',
      description: 'only secrets whose name matches, * for any run of characters',
    },
    context: {
      flags: '--context <key=value>',
      description: 'only secrets with exactly this encryption context; can be repeated',
      repeatable: true,
    },
    fields: {
      flags: '--fields',
      description: 'of a writer: may change fields (put --field), so it can read secrets',
    },
    account: {
      flags: '--account <id>',
      description: "number of the account of the table and the key (default: the caller's)",
    },
  },
  notes: ROLES_HELP,
  examples: [
    { line: 'credstash policy reader', description: "Print a reader's policy" },
    {
      line: "credstash policy writer --name 'app.*' --context env=prod",
      description: 'Only for some names and one encryption context',
    },
    {
      line: 'credstash policy admin -k arn:aws:kms:us-east-1:123456789012:key/ID',
      description: "Print an administrator's policy",
    },
  ],
  isReader: true,
  run: async ({ args: [role], options, io }) => {
    const { name, account, fields } = options;
    const context = parseContext(options.context ?? []);
    if (resolveSettings(options).backend === 'local') {
      throw new CredstashError('USAGE', 'a policy is for AWS, and the local vault is chosen', {
        hint: options.local === undefined ? 'unset CREDSTASH_LOCAL' : 'leave out --local',
      });
    }
    await chooseBackend(
      options,
      io,
    )(async (credstash) => {
      const policy = await credstash.policy(role, { name, context, account, fields });
      await io.write(formatVisibleJson(policy, 2));
      if (name !== undefined && role !== 'writer') {
        io.note(
          'credstash: note: this allows no dynamodb:Scan, which cannot be narrowed to names: list, keys, getall and patterns with * are denied; get NAME, references and exec --env work',
        );
      }
      // A script has read what the role is for.
      if (role === 'setup' && io.columns('stderr') !== undefined) {
        io.note('credstash: warning: attach this policy for the hour of the setup, then detach it');
      }
    });
  },
});
