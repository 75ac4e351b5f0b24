/*
 * A rotation job: stores a new password as a new version, sets it, tests it, and only then moves the label that readers
 * ask for. Whatever fails, readers go on with the password that works, and the job can be run again.
 *
 *     SERVICE=https://example.internal node rotate.js
 */
import { randomBytes } from 'node:crypto';
import { Credstash, hasCode } from 'credstash-cli';

const NAME = 'service.password';
const LABEL = 'current';
const service = process.env['SERVICE'];
if (service === undefined) throw new Error('SERVICE is not set');

/** Whether the service takes this password. */
async function works(password: string): Promise<boolean> {
  const { ok } = await fetch(`${service}/whoami`, {
    headers: { authorization: `Bearer ${password}` },
    signal: AbortSignal.timeout(10_000),
  });
  return ok;
}

/** Gives the service another password. */
async function set(from: string, to: string): Promise<void> {
  const { ok, status } = await fetch(`${service}/password`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${from}` },
    body: to,
    signal: AbortSignal.timeout(10_000),
  });
  if (!ok) throw new Error(`the service refused the new password: HTTP ${status}`);
}

const credstash = new Credstash();
try {
  const before = await credstash.getText(NAME, { label: LABEL });
  const after = randomBytes(32).toString('base64url');

  // Stored before it is set: a password that is set and then lost would lock everybody out.
  const { version } = await credstash.put(NAME, after, {
    autoversion: true,
    comment: 'rotated',
  });
  try {
    await set(before, after);
    if (!(await works(after))) throw new Error('the service does not take its new password');
  } catch (error) {
    // The label was not moved. The version is removed only if it is known to be of no use.
    if (await works(before).catch(() => false)) {
      await credstash.delete(NAME, { version });
      console.error(`version ${version} was taken back`);
    }
    throw error;
  }
  const moved = await credstash.label(NAME, LABEL, { version });
  console.log(`${LABEL} moved from ${moved.before.join(', ')} to ${moved.version}`);

  // The one before is kept for a way back; prune leaves alone what has a label.
  // It opens the versions that stay first, and deletes nothing if one of them was tampered with.
  for (const { version: old, done } of await credstash.prune({ glob: NAME, keep: 2 })) {
    console.log(`version ${old} ${done === 'changed' ? 'was deleted' : done}`);
  }
} catch (error) {
  console.error(
    hasCode(error, 'SECRET_NOT_FOUND', 'VERSION_NOT_FOUND')
      ? `${NAME} has no version with the label ${LABEL}: store the first one by hand`
      : String(error),
  );
  process.exitCode = 1;
} finally {
  await credstash.close();
}
