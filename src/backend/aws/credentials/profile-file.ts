import type { Section } from '../profile.ts';

/**
 * A configuration file for the SDK, which exists in its cache of files only. A header with a dot is taken as it is, so that
 * a name may have spaces and quotes.
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
  // A release of the SDK from 2025 or before lacks it. A bundler that makes one file of all would load a static import at once.
  const { externalDataInterceptor } = await import('@smithy/core/config');
  externalDataInterceptor.interceptFile(path, text);
  externalDataInterceptor.interceptFile('credstash:', '');
  return { profile: name, configFilepath: path, filepath: 'credstash:' };
}
