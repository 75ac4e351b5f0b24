import type { Section } from '../profile.ts';

/**
 * Makes a configuration file that exists only in the SDK's cache of files. The SDK takes a header with a dot, such as
 * `profile.NAME`, without parsing it, so that the name may have spaces and quotes.
 *
 * @param section the profile's settings
 * @param session the name of the profile's SSO session
 * @param shared the settings of that session
 * @returns options for the SDK's providers
 */
export async function createProfileFile(
  name: string,
  section: Section,
  session?: string,
  shared?: Section,
): Promise<{
  readonly profile: string;
  readonly configFilepath: string;
  readonly filepath: string;
}> {
  const lines = (settings: Section): string[] =>
    Object.entries(settings)
      .filter(([key]) => /^(?:sso_\w+|login_session|region)$/.test(key))
      .map(([key, value]) => `${key} = ${value}`);
  const text = [
    `[profile.${name}]`,
    ...lines(section),
    ...(shared ? [`[sso-session.${session ?? ''}]`, ...lines(shared)] : []),
  ].join('\n');
  const path = `credstash:${text}`;
  // A release of the SDK from 2025 or before lacks this module. With a static import, a bundle in one file would load it at once.
  const { externalDataInterceptor } = await import('@smithy/core/config');
  externalDataInterceptor.interceptFile(path, text);
  externalDataInterceptor.interceptFile('credstash:', '');
  return { profile: name, configFilepath: path, filepath: 'credstash:' };
}
