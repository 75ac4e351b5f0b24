/**
 * Reads AWS's configuration and credentials files as botocore does. The SDK's own parser loses sections whose names have
 * spaces or quotes, and parts of the SDK look up AWS_PROFILE instead of the profile that a client was given.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { CredstashError } from '../../errors.ts';
import { stripFault } from '../../util/system-faults.ts';

/** The settings of one section. A setting inside a nested block is named `BLOCK.NAME`, such as `dynamodb.endpoint_url`. */
export type Section = Readonly<Record<string, string>>;

/** A file that exists but cannot be read. */
export interface UnreadableFile {
  readonly path: string;
  /** The system's error code, such as EACCES. */
  readonly code: string;
  readonly fault: Error;
}

/** What both files say. A profile's settings in the credentials file override those in the configuration file. */
export interface AwsFiles {
  readonly profiles: ReadonlyMap<string, Section>;
  readonly ssoSessions: ReadonlyMap<string, Section>;
  readonly services: ReadonlyMap<string, Section>;
  readonly paths: readonly string[];
  readonly unreadable: readonly UnreadableFile[];
}

/** Reads both files. Missing files are empty. Never throws. */
export function readAwsFiles(): AwsFiles {
  const unreadable: UnreadableFile[] = [];
  const paths = [
    findFilePath('AWS_CONFIG_FILE', 'config'),
    findFilePath('AWS_SHARED_CREDENTIALS_FILE', 'credentials'),
  ];
  const [config = new Map<string, Section>(), credentials = new Map<string, Section>()] = paths.map(
    (path) => parseIni(readText(path, unreadable)),
  );
  const profiles = new Map<string, Section>();
  const ssoSessions = new Map<string, Section>();
  const services = new Map<string, Section>();
  const kinds = { profile: profiles, 'sso-session': ssoSessions, services };
  for (const [header, section] of config) {
    if (header === 'default') addSection(profiles, header, section);
    const [kind, name, ...more] = splitWords(header) ?? [];
    if (kind === undefined || name === undefined || more.length > 0) continue;
    if (Object.hasOwn(kinds, kind)) addSection(kinds[kind as keyof typeof kinds], name, section);
  }
  for (const [name, section] of credentials) addSection(profiles, name, section);
  return { profiles, ssoSessions, services, paths, unreadable };
}

function addSection(sections: Map<string, Section>, name: string, section: Section): void {
  sections.set(name, { ...sections.get(name), ...section });
}

function findFilePath(variable: string, name: string): string {
  const path = process.env[variable];
  if (!path) return join(findHomeFolder(), '.aws', name);
  return path.startsWith('~/') ? join(findHomeFolder(), path.slice(2)) : path;
}

/** Finds the home folder; empty for a user without one, for whom the system call throws. */
export function findHomeFolder(): string {
  try {
    return process.env['HOME'] || homedir();
  } catch {
    return '';
  }
}

function readText(path: string, unreadable: UnreadableFile[]): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    if (!['ENOENT', 'ENOTDIR'].includes(code)) {
      unreadable.push({ path, code, fault: stripFault(error) });
    }
    return '';
  }
}

/** Parses sections, by their whole headers. Names of settings become lower case, as in Python's configparser. */
function parseIni(text: string): Map<string, Section> {
  const sections = new Map<string, Section>();
  let section: Record<string, string> | undefined;
  let block: string | undefined;
  for (const raw of text.replace(/^\uFEFF/, '').split(/\r?\n/)) {
    const header = /^\s*\[([^\]]+)\]/.exec(raw)?.[1];
    if (header !== undefined) {
      section = { ...sections.get(header.trim()) };
      sections.set(header.trim(), section);
      block = undefined;
      continue;
    }
    const line = (raw.split(/(?:^|\s)[;#]/)[0] ?? '').trimEnd();
    const [, indent = '', name = '', value = ''] =
      /^(\s*)([^=:]+?)\s*[=:]\s*(.*)$/.exec(line) ?? [];
    if (name === '' || !section) continue;
    const key = name.toLowerCase();
    if (indent === '') block = undefined;
    if (block !== undefined) section[`${block}.${key}`] = value;
    else if (value === '') block = key;
    else section[key] = value;
  }
  return sections;
}

/**
 * Splits a header into words as botocore does, by the rules of Python's shlex.
 *
 * @returns undefined for a quotation that does not end
 */
function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  // Inside double quotes a backslash escapes only a double quote or a backslash. Inside single quotes it escapes nothing.
  const word = /\s*((?:'[^']*'|"(?:\\["\\]|[^"])*"|\\.|[^\s'"\\])+)/y;
  let end = 0;
  for (let match = word.exec(text); match; match = word.exec(text)) {
    end = word.lastIndex;
    words.push(
      (match[1] ?? '').replace(
        /'([^']*)'|"((?:\\["\\]|[^"])*)"|\\(.)/g,
        (_, single?: string, double?: string, escaped?: string) =>
          single ?? double?.replace(/\\(["\\])/g, '$1') ?? escaped ?? '',
      ),
    );
  }
  return text.slice(end).trim() === '' ? words : undefined;
}

/**
 * Finds the name of the profile in use: the setting, AWS_PROFILE, or its older name AWS_DEFAULT_PROFILE.
 *
 * @returns undefined if none is set
 */
export function findProfileName({
  profile,
}: {
  readonly profile?: string | undefined;
}): string | undefined {
  return profile ?? (process.env['AWS_PROFILE'] || process.env['AWS_DEFAULT_PROFILE'] || undefined);
}

/**
 * Finds the session name for assuming a role: the profile's `role_session_name`, or AWS_ROLE_SESSION_NAME.
 *
 * @param section of the profile that has the role; omitted if no profile names the role
 * @param profile its name, for messages
 * @returns undefined if neither is set
 * @throws CredstashError USAGE for a name that STS would refuse
 *   (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)
 */
export function findSessionName(section: Section = {}, profile = ''): string | undefined {
  const { role_session_name: own } = section;
  const name = own ?? (process.env['AWS_ROLE_SESSION_NAME'] || undefined);
  if (name === undefined || /^[\w+=,.@-]{2,64}$/.test(name)) return name;
  const from =
    own === undefined ? 'AWS_ROLE_SESSION_NAME' : `role_session_name of the profile ${profile}`;
  throw new CredstashError('USAGE', `${from} must be 2 to 64 letters, digits and _ + = , . @ -`);
}

/** Whether a text is the ARN of a role: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html */
export function isRoleArn(text: string): boolean {
  return /^arn:[^:]+:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(text);
}

/** Reads a setting of the profile in use; undefined if the profile or the setting does not exist. */
export function findProfileSetting(
  settings: { readonly profile?: string | undefined },
  name: string,
): string | undefined {
  return readAwsFiles().profiles.get(findProfileName(settings) ?? 'default')?.[name];
}
