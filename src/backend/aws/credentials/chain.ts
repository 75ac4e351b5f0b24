/** Describes the profiles that credentials come from. Nothing is run or asked. */
import {
  type AwsFiles,
  isRoleArn,
  findProfileName,
  readAwsFiles,
  type Section,
} from '../profile.ts';

/** Where a profile's credentials come from. */
export type Kind = 'role' | 'keys' | 'web identity' | 'process' | 'sso' | 'login' | 'source';

export const SSO_KEYS = [
  'sso_start_url',
  'sso_account_id',
  'sso_session',
  'sso_region',
  'sso_role_name',
];

/** @param isSource whether another profile takes its credentials from this one */
export function findKind(section: Section, isSource: boolean): Kind | undefined {
  const { role_arn: role, source_profile: source, credential_source: named } = section;
  const hasKeys = 'aws_access_key_id' in section || 'aws_secret_access_key' in section;
  if (isSource && hasKeys) return 'keys';
  if (role !== undefined && (source ?? named) !== undefined) return 'role';
  if (hasKeys) return 'keys';
  if (role !== undefined && 'web_identity_token_file' in section) return 'web identity';
  if ('credential_process' in section) return 'process';
  if (Object.keys(section).some((key) => SSO_KEYS.includes(key))) return 'sso';
  if ('login_session' in section) return 'login';
  return isSource && named !== undefined ? 'source' : undefined;
}

/** One profile of a chain, for a person: `profile ops: role arn:aws:iam::123456789012:role/x`. */
export interface ChainLink {
  readonly kind: Kind | undefined;
  readonly words: string;
}

/** The profiles that credentials come from, the one in use first. Nothing is run or asked. */
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
    const what = section
      ? isSeen && kind === 'role'
        ? 'a loop'
        : describeSection(section, kind)
      : 'missing';
    links.push({ kind, words: `profile ${name}: ${what}` });
    const source = section?.['source_profile'];
    if (kind !== 'role' || isSeen || source === undefined) return links;
    seen.add(name);
    name = source;
  }
}

/** A setting that can be shown: an ARN of a role or a source's name. Anything else may be a secret in the wrong place. */
export function describeValue(value = ''): string {
  const isKnown =
    isRoleArn(value) || ['Environment', 'Ec2InstanceMetadata', 'EcsContainer'].includes(value);
  return isKnown ? value : '(not a valid value)';
}

export function describeSection(section: Section, kind: Kind | undefined): string {
  const { credential_source: source } = section;
  const named = source === undefined ? '' : ` with the credentials of ${describeValue(source)}`;
  switch (kind) {
    case 'role':
      return `role ${describeValue(section['role_arn'])}${named}`;
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
      return `the credentials of ${named}`;
    case undefined:
      return 'no credentials';
  }
}
