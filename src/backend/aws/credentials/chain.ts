/** Describes the profiles that credentials come from, without running a program or sending a request. */
import {
  type AwsFiles,
  isRoleArn,
  findProfileName,
  readAwsFiles,
  type Section,
} from '../profile.ts';

/** The kind of credentials that a profile has. */
export type Kind = 'role' | 'keys' | 'web identity' | 'process' | 'sso' | 'login' | 'source';

export const SSO_KEYS = [
  'sso_start_url',
  'sso_account_id',
  'sso_session',
  'sso_region',
  'sso_role_name',
];

/**
 * Finds the kind of a profile's credentials; undefined if it has none.
 *
 * @param isSource whether another profile takes its credentials from this one
 */
export function findKind(section: Section, isSource: boolean): Kind | undefined {
  const { role_arn: role, source_profile: profile, credential_source: source } = section;
  const hasKeys = 'aws_access_key_id' in section || 'aws_secret_access_key' in section;
  if (isSource && hasKeys) return 'keys';
  if (role !== undefined && (profile ?? source) !== undefined) return 'role';
  if (hasKeys) return 'keys';
  if (role !== undefined && 'web_identity_token_file' in section) return 'web identity';
  if ('credential_process' in section) return 'process';
  if (Object.keys(section).some((key) => SSO_KEYS.includes(key))) return 'sso';
  if ('login_session' in section) return 'login';
  return isSource && source !== undefined ? 'source' : undefined;
}

/** One profile of a chain. */
export interface ChainLink {
  readonly kind: Kind | undefined;
  /** For a person: `profile ops: role arn:aws:iam::123456789012:role/x`. */
  readonly words: string;
}

/** Lists the profiles that credentials come from, the one in use first. Runs no program and sends no request. */
export function describeChain(
  settings: { readonly profile?: string | undefined },
  files: AwsFiles = readAwsFiles(),
): ChainLink[] {
  const links: ChainLink[] = [];
  const seen = new Set<string>();
  let name = findProfileName(settings) ?? 'default';
  for (;;) {
    const section = files.profiles.get(name);
    const isSeen = seen.has(name);
    const kind = section && findKind(section, seen.size > 0);
    const description = section
      ? isSeen && kind === 'role'
        ? 'a loop'
        : describeSection(section, kind)
      : 'missing';
    links.push({ kind, words: `profile ${name}: ${description}` });
    const source = section?.['source_profile'];
    if (kind !== 'role' || isSeen || source === undefined) return links;
    seen.add(name);
    name = source;
  }
}

/** Returns a setting for a message if it is a role's ARN or the name of a source. Anything else may be a misplaced secret. */
export function describeValue(value = ''): string {
  const isKnown =
    isRoleArn(value) || ['Environment', 'Ec2InstanceMetadata', 'EcsContainer'].includes(value);
  return isKnown ? value : '(not a valid value)';
}

/** Describes a profile's credentials for a person: `access keys in the file`. */
export function describeSection(section: Section, kind: Kind | undefined): string {
  const { credential_source: source } = section;
  const origin = source === undefined ? '' : ` with the credentials of ${describeValue(source)}`;
  switch (kind) {
    case 'role':
      return `role ${describeValue(section['role_arn'])}${origin}`;
    case 'keys':
      return 'access keys in the file';
    case 'web identity':
      return `web identity for the role ${describeValue(section['role_arn'])}`;
    case 'process':
      return 'credential_process';
    case 'sso':
      return section['sso_session'] ? `sso-session ${section['sso_session']}` : 'SSO';
    case 'login':
      return 'aws login';
    case 'source':
      return `the credentials of ${origin}`;
    case undefined:
      return 'no credentials';
  }
}
