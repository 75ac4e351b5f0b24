/** Where the regions of the table and of the key come from. */
import type { DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { checkRegion } from '../../model/region.ts';
import { findProfileName, findProfileSetting } from './profile.ts';
import { type AwsSettings, checkTable } from './settings.ts';

/** A setting, and where it came from, for a person. */
export interface Origin {
  readonly value: string;
  readonly from: string;
}

/** The regions of the table and of the key. */
export interface RegionOrigins {
  readonly dynamodb: Origin;
  readonly kms: Origin;
}

/** The region of the original, if nothing names one. */
export const DEFAULT_REGION: Origin = { value: 'us-east-1', from: 'the default' };

/**
 * Finds the regions of the table and of the key. A table's ARN names its own region.
 *
 * @throws CredstashError USAGE when the table cannot be one
 *
 * Not left to the SDK, which knows nothing of AWS_DEFAULT_REGION (aws/aws-sdk-js#2929) and of us-east-1.
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

/** The names of the regions. @throws CredstashError USAGE when one cannot be a region */
export function checkRegions({ dynamodb, kms }: RegionOrigins): { dynamodb: string; kms: string } {
  return { dynamodb: checkRegion(dynamodb.value), kms: checkRegion(kms.value) };
}

/**
 * The services whose region nothing names. KMS is not one of them in the region that something names for the table.
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

/** A client's region may come from a function. */
export async function resolveRegion(
  region: DynamoDBClientConfig['region'],
): Promise<string | undefined> {
  return typeof region === 'function' ? region() : region;
}

export function toOrigin(value: string | undefined, from: string): Origin | undefined {
  return value === undefined ? undefined : { value, from };
}

/** A variable of the environment; empty is absent. */
export function readVariable(name: string): Origin | undefined {
  return toOrigin(process.env[name] || undefined, name);
}
