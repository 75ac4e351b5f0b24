import { CredstashError } from '../errors.ts';

/** Checks the name of an AWS region, which becomes a part of a host's name. @throws CredstashError USAGE */
export function checkRegion(region: string): string {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region)) return region;
  throw new CredstashError('USAGE', 'the region is not a name such as eu-west-1', {
    hint: "check `region`, `kmsRegion`, AWS_REGION and the profile's region",
  });
}

/**
 * Checks a list of regions to fall back to.
 *
 * @param value undefined if it is not set
 * @param setting how messages name it
 * @returns a copy, in the same order
 * @throws CredstashError USAGE if it is not a list of names, or has a name twice
 */
export function checkFallbackRegions(value: unknown, setting = 'fallbackRegions'): string[] {
  if (value === undefined) return [];
  const hint = 'it lists regions in the order in which they are asked, such as eu-central-1';
  if (!Array.isArray(value) || !value.every((each) => typeof each === 'string')) {
    throw new CredstashError('USAGE', `${setting} is not a list of regions`, { hint });
  }
  for (const region of value) {
    try {
      checkRegion(region);
    } catch {
      throw new CredstashError('USAGE', `${setting} has something that is not a region`, { hint });
    }
  }
  const twice = value.find((region, i) => value.indexOf(region) < i);
  if (twice === undefined) return [...value];
  throw new CredstashError('USAGE', `${setting} has the region ${twice} twice`, {
    hint: 'name each region once',
  });
}

/** The same ARN in another region; another text stays as it is. */
export function moveArn(text: string, region: string): string {
  return text.replace(/^(arn:[^:]+:[^:]+:)[^:]+:/, `$1${region}:`);
}
