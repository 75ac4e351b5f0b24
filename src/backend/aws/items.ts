import { isDeepStrictEqual } from 'node:util';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';

/** An item of the table, with the types of DynamoDB, as the SDK sends and receives it. */
export type RawItem = Record<string, AttributeValue>;

/** Every attribute of an entry except its keys. */
export const ATTRIBUTES = ['cipher', 'digest', 'created', 'comment', 'key', 'contents', 'hmac'];

/** The attributes that a listing reads. */
export const HEADER = ['name', 'version', 'cipher', 'digest', 'created', 'comment', 'labels'];

/** The primary key of a version. */
export function createKey(name: string, version: string): RawItem {
  return { name: { S: name }, version: { S: version } };
}

/** A placeholder for each attribute name, because several of them are reserved words of DynamoDB: `{ '#key': 'key' }`. */
export function createPlaceholders(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`#${name}`, name]));
}

/** Makes a request read only these attributes. */
export function createProjection(names: readonly string[]): {
  ProjectionExpression: string;
  ExpressionAttributeNames: Record<string, string>;
} {
  const placed = createPlaceholders(names);
  return {
    ProjectionExpression: Object.keys(placed).join(),
    ExpressionAttributeNames: placed,
  };
}

/** Whether a part of an answer is an object, as an item and a key are. */
export function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two attributes have the same type and value, or are both missing. */
export function isSameAttribute(
  a: AttributeValue | undefined,
  b: AttributeValue | undefined,
): boolean {
  if (!a || !b) return a === b;
  if (a.B) return b.B !== undefined && Buffer.compare(a.B, b.B) === 0;
  return isDeepStrictEqual(a, b);
}
