/** Finds the regions of the table and of the key, and remembers which setting named them. */
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { checkRegion } from '../../model/region.ts';
import { findProfileName, findProfileSetting } from './profile.ts';
import { type AwsSettings, checkTable } from './settings.ts';

/** A setting, and its source for a person: `AWS_REGION`. */
export interface Origin {
  readonly value: string;
  readonly from: string;
}

/** The regions of the table and of the key. */
export interface RegionOrigins {
  readonly dynamodb: Origin;
  readonly kms: Origin;
}

/** The region if no setting names one, as in the original. */
export const DEFAULT_REGION: Origin = { value: 'us-east-1', from: 'the default' };

/**
 * Finds the regions of the table and of the key. A table's ARN names its own region. The SDK cannot do this: it ignores
 * AWS_DEFAULT_REGION (aws/aws-sdk-js#2929), and has no default region.
 *
 * @throws CredstashError USAGE if the table's name is invalid
 */
export async function findRegions(settings: AwsSettings): Promise<RegionOrigins> {
  const { clients, clientOptions, kmsRegion, table } = settings;
  const profile = `the profile ${findProfileName(settings) ?? 'default'}`;
  const region =
    toOrigin(settings.region, 'as given') ??
    readVariable('AWS_REGION') ??
    readVariable('AWS_DEFAULT_REGION') ??
    toOrigin(findProfileSetting(settings, 'region'), profile) ??
    DEFAULT_REGION;
  return {
    dynamodb:
      toOrigin(await clients?.dynamodb?.config.region(), "the application's client") ??
      toOrigin(await resolveRegion(clientOptions?.dynamodb?.region), "the application's options") ??
      toOrigin(checkTable(table).region, "the table's ARN") ??
      region,
    kms:
      toOrigin(await clients?.kms?.config.region(), "the application's client") ??
      toOrigin(await resolveRegion(clientOptions?.kms?.region), "the application's options") ??
      toOrigin(kmsRegion, 'as given') ??
      region,
  };
}

/** Checks both regions. @returns their names @throws CredstashError USAGE if one cannot be a region */
export function checkRegions({ dynamodb, kms }: RegionOrigins): { dynamodb: string; kms: string } {
  return { dynamodb: checkRegion(dynamodb.value), kms: checkRegion(kms.value) };
}

/**
 * Finds the services whose region no setting names. KMS does not count if a setting names the same region for the table.
 */
export function findDefaultedServices({ dynamodb, kms }: RegionOrigins): {
  readonly dynamodb: boolean;
  readonly kms: boolean;
} {
  return {
    dynamodb: dynamodb === DEFAULT_REGION,
    kms: kms === DEFAULT_REGION && kms.value !== dynamodb.value,
  };
}

/** Resolves a client's region, which may be a function. */
export async function resolveRegion(
  region: DynamoDBClientConfig['region'],
): Promise<string | undefined> {
  return typeof region === 'function' ? region() : region;
}

/** Pairs a value with its source; undefined for an undefined value. */
export function toOrigin(value: string | undefined, from: string): Origin | undefined {
  return value === undefined ? undefined : { value, from };
}

/** Reads an environment variable. An empty variable counts as unset. */
export function readVariable(name: string): Origin | undefined {
  return toOrigin(process.env[name] || undefined, name);
}
