import { exec } from 'node:child_process';
import type { Section } from '../profile.ts';
import { type Identity, isText, withSource, noCredentials } from './identity.ts';

/**
 * Runs a credential_process in a shell, as the SDK does. Errors never quote its output, because that has keys in it.
 *
 * @param command the profile's `credential_process`
 * @param name of the profile, for messages
 * @throws CredstashError NO_CREDENTIALS
 */
export async function runProcess(
  command: string,
  section: Section,
  name: string,
): Promise<Identity> {
  const subject = `credential_process of the profile ${name}`;
  const hint = 'run the command of credential_process to see why';
  const output = await new Promise<string>((resolve, reject) => {
    exec(command, (error, stdout) => {
      if (!error) {
        resolve(stdout);
        return;
      }
      const { code, signal } = error;
      const failure =
        typeof code === 'number'
          ? `ended with status ${code}`
          : signal
            ? `was ended by ${signal}`
            : 'cannot be run';
      reject(noCredentials(`: ${subject} ${failure}`, hint));
    });
  });
  let data: Partial<Record<string, unknown>>;
  try {
    data = Object(JSON.parse(output)) as typeof data;
  } catch {
    throw noCredentials(`: ${subject} printed no valid JSON`, hint);
  }
  const { Version, AccessKeyId, SecretAccessKey, SessionToken, Expiration } = data;
  if (Version !== 1) throw noCredentials(`: ${subject} printed JSON without "Version": 1`, hint);
  if (!isText(AccessKeyId) || !isText(SecretAccessKey)) {
    throw noCredentials(`: ${subject} printed no AccessKeyId or no SecretAccessKey`, hint);
  }
  const expiration = isText(Expiration) ? new Date(Expiration) : undefined;
  if (expiration && Number.isNaN(expiration.getTime())) {
    throw noCredentials(`: ${subject} printed an Expiration that is not a time`, hint);
  }
  if (expiration && expiration.getTime() < Date.now()) {
    throw noCredentials(
      `: ${subject} gave credentials that have expired`,
      'log in again where it gets them',
    );
  }
  const account = data['AccountId'] ?? section['aws_account_id'];
  return withSource(
    {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      ...(isText(SessionToken) ? { sessionToken: SessionToken } : {}),
      ...(expiration ? { expiration } : {}),
      ...(isText(account) ? { accountId: account } : {}),
    },
    { CREDENTIALS_PROFILE_PROCESS: 'v' },
  );
}
