import { CredstashError } from '../errors.ts';
import { checkLabel } from './label.ts';
import { checkVersion } from './version.ts';

/** Selects a version of a secret: the newest, a version by its number, padded or exactly as given, or the version with a label. */
export interface VersionSelector {
  readonly version?: string | undefined;
  readonly exactVersion?: boolean | undefined;
  readonly label?: string | undefined;
}

/** Checks a selector. @throws CredstashError USAGE for an invalid version or label, or for both at once */
export function checkSelector({ version, exactVersion, label }: VersionSelector): VersionSelector {
  if (version !== undefined) checkVersion(version);
  if (label === undefined) return { version, exactVersion };
  if (version !== undefined) {
    throw new CredstashError('USAGE', 'a version and a label cannot both be asked for');
  }
  return { label: checkLabel(label) };
}
