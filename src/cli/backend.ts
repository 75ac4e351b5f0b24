import type { Command } from 'commander';
import type { AwsSettings } from '../backend/aws/index.ts';
import type { Credstash } from '../credstash.ts';
import { CredstashError } from '../errors.ts';
import { visible } from '../format/visible.ts';
import type { Io } from './io.ts';
import { optionsOf, settingsOf } from './settings.ts';

/** What a command works on. */
export interface Backend {
  readonly credstash: Credstash;
  /** Creates the table, with these tags, or the vault, and says so. One that is there is left alone. */
  readonly setup: (tags: Readonly<Record<string, string>>) => Promise<void>;
  /** How a person calls it: `the vault /home/x/.local/share/credstash`. */
  readonly location: string;
}

/** Opens a backend, runs `use` on it, and closes it. */
export type WithBackend = (use: (backend: Backend) => Promise<void>) => Promise<void>;

/**
 * The only choice of a backend: what the command's options ask for, and the settings behind them, all checked here.
 * It is opened when what this returns is called. What is heavy is loaded there and nowhere before, so that help and
 * a usage error do without.
 *
 * @param options.create whether a vault that is not there is created
 * @param options.unattended whether there is nobody who could be asked, or told of a wait
 * @throws CredstashError USAGE
 */
export function chooseBackend(
  command: Command,
  io: Io,
  options: { readonly create?: boolean; readonly unattended?: boolean } = {},
): WithBackend {
  const settings = settingsOf(optionsOf(command));
  return settings.backend === 'local'
    ? (use) => onVault(settings.folder, options.create ?? false, io, use)
    : (use) => onAws(settings, io, options.unattended ?? false, use);
}

async function onVault(
  folder: string,
  create: boolean,
  io: Io,
  use: (backend: Backend) => Promise<void>,
): Promise<void> {
  const [{ Credstash }, { openLocal }] = await Promise.all([
    import('../credstash.ts'),
    import('../backend/local/index.ts'),
  ]);
  const { keys, entries, vault } = openLocal(folder, { create });
  try {
    await use({
      credstash: new Credstash(keys, entries),
      setup: async () => {
        const state = vault.setup() ? 'has been created' : 'already exists';
        await io.write(`The vault ${visible(vault.folder)} ${state}\n`);
      },
      location: entries.location,
    });
  } finally {
    vault.close();
  }
}

async function onAws(
  settings: AwsSettings,
  io: Io,
  unattended: boolean,
  use: (backend: Backend) => Promise<void>,
): Promise<void> {
  const [{ Credstash }, { openAws }] = await Promise.all([
    import('../credstash.ts'),
    import('../backend/aws/index.ts'),
  ]);
  const attended: Partial<AwsSettings> = {
    mfaCode: (serial) => askMfaCode(io, serial),
    waiting: (wait) => {
      io.status.wait(wait && `${wait.resource} is throttled: ${wait.seconds} s, trying again`);
    },
  };
  const aws = await openAws({ ...settings, unattended, ...(unattended ? {} : attended) });
  try {
    await use({
      credstash: new Credstash(aws.keys, aws.entries),
      // In the original's words, for whoever reads them in a script.
      setup: async (tags) => {
        const created = await aws.setup(tags, () =>
          io.write('Creating table...\nWaiting for table to be created...\n'),
        );
        await io.write(
          created
            ? 'Adding tags...\nTable has been created. Go read the README about how to create your KMS key\n'
            : 'Credential Store table already exists\n',
        );
        if (!created && Object.keys(tags).length > 0) {
          io.note(`credstash: warning: the tags of ${aws.entries.location} are left as they are`);
        }
      },
      location: aws.entries.location,
    });
  } finally {
    aws.close();
  }
}

async function askMfaCode(io: Io, serial: string): Promise<string> {
  const code = await io.askHidden(
    `MFA code for ${serial}: `,
    new CredstashError(
      'NO_CREDENTIALS',
      `the MFA device ${serial} wants a code, and there is no terminal to ask on`,
    ),
  );
  return Buffer.from(code).toString('utf8').trim();
}
