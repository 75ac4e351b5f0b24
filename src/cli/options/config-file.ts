import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { CredstashError } from '../../errors.ts';
import { checkRegion } from '../../model/region.ts';
import { findHome, requireHome } from '../files/home.ts';
import { readErrorCode } from '../../util/errno.ts';

/** Splits a list in a variable or in `~/.credstash` at commas and spaces. */
export function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}

/** Reads a setting of `~/.credstash`. An empty text and null count as unset. @throws CredstashError USAGE */
export function readText(name: string): string | undefined {
  const value = readConfig()[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw new CredstashError('USAGE', `${name} in ${configPath() ?? ''} is not a text`);
}

function configPath(): string | undefined {
  const folder = findHome();
  return folder === undefined ? undefined : join(folder, '.credstash');
}

/** The contents of `~/.credstash`. It is read once for each command line, so that its settings belong together. */
let config: Readonly<Record<string, unknown>> | undefined;

/** Makes the next setting read `~/.credstash` again, because a command line begins or has changed the file. */
export function forgetConfig(): void {
  config = undefined;
}

/** Gets all settings of `~/.credstash`. @throws CredstashError USAGE if the file cannot be read or is not a JSON object */
export function readConfig(): Readonly<Record<string, unknown>> {
  return (config ??= loadConfig());
}

/** Reads `~/.credstash`, a JSON object. A missing file has no settings. */
function loadConfig(): Readonly<Record<string, unknown>> {
  const none = Object.create(null) as Record<string, unknown>;
  const path = configPath();
  if (path === undefined) return none;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(readErrorCode(cause))) return none;
    throw new CredstashError('USAGE', `${path} cannot be read`, { cause });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Without the cause, because a parser's error quotes the text.
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new CredstashError('USAGE', `${path} is not a JSON object`, {
      hint: 'it looks like {"kms-region": "eu-west-1"}',
    });
  }
  return Object.assign(none, parsed);
}

/**
 * Saves the KMS region in `~/.credstash`, and keeps its other settings.
 *
 * @throws CredstashError USAGE if the region is invalid, or the file cannot be written
 */
export async function saveKmsRegion(region: string): Promise<void> {
  checkRegion(region);
  const path = join(requireHome(), '.credstash');
  const text = `${JSON.stringify({ ...readConfig(), 'kms-region': region })}\n`;
  const { openOutputFile } = await import('../files/output-file.ts');
  // If the file is a link, as in a repository of dot files, replace its target.
  openOutputFile(
    existsSync(path) ? realpathSync(path) : path,
    `the file is a mount point, which nothing can replace: add "kms-region": "${region}" to it with an editor`,
  )([Buffer.from(text)]);
  forgetConfig();
}
