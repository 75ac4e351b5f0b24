import { CredstashError } from '../errors.ts';

/** Checks the name of an AWS region, which becomes a part of a host's name. @throws CredstashError USAGE */
export function checkRegion(region: string): string {
  if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region)) return region;
  throw new CredstashError('USAGE', 'the region is not a name such as eu-west-1');
}
