import type { Command } from 'commander';
import type { Credstash } from '../credstash.ts';
import { CredstashError } from '../errors.ts';
import type { Io } from './io.ts';
import { optionsOf, settingsOf } from './settings.ts';

/** What a command works on. */
export interface Backend {
  readonly credstash: Credstash;
  /** Creates the table or the vault. Whether it was not there. @param creating called before a wait */
  readonly setup: (creating: () => void) => Promise<boolean>;
  /** How a person calls it: `the vault /home/x/.local/share/credstash`. */
  readonly location: string;
}

/**
 * The only choice of a backend: opens what the command's options ask for, runs `use` on it, and closes it. What
 * is heavy is loaded here and nowhere before, so that help and a usage error do without.
 *
 * @param options.create whether a vault that is not there is created
 */
export async function withBackend(
  command: Command,
  io: Io,
  use: (backend: Backend) => Promise<void>,
  options: { readonly create?: boolean } = {},
): Promise<void> {
  const settings = settingsOf(optionsOf(command));
  if (settings.backend === 'local') {
    const [{ Credstash }, { openLocal }] = await Promise.all([
      import('../credstash.ts'),
      import('../backend/local/index.ts'),
    ]);
    const { keys, entries, vault } = openLocal(settings.folder, {
      create: options.create ?? false,
    });
    try {
      await use({
        credstash: new Credstash(keys, entries),
        setup: () => Promise.resolve(vault.setup()),
        location: entries.location,
      });
    } finally {
      vault.close();
    }
    return;
  }
  const [{ Credstash }, { openAws }] = await Promise.all([
    import('../credstash.ts'),
    import('../backend/aws/index.ts'),
  ]);
  const aws = await openAws({ ...settings, mfaCode: (serial) => askMfaCode(io, serial) });
  try {
    await use({
      credstash: new Credstash(aws.keys, aws.entries),
      setup: aws.setup,
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
