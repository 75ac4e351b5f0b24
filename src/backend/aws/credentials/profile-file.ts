import { externalDataInterceptor } from '@smithy/core/config';
import type { Section } from '../profile.ts';

/**
 * A configuration file for the SDK, which exists in its cache of files only. A header with a dot is taken as it is, so that
 * a name may have spaces and quotes.
 */
export function createProfileFile(
  name: string,
  section: Section,
  session?: string,
  shared?: Section,
): { readonly profile: string; readonly configFilepath: string; readonly filepath: string } {
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
  externalDataInterceptor.interceptFile(path, text);
  externalDataInterceptor.interceptFile('credstash:', '');
  return { profile: name, configFilepath: path, filepath: 'credstash:' };
}
