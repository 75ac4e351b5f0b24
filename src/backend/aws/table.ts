import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CredstashError } from '../../errors.ts';
import { readErrorName, translate } from './errors.ts';
import { type SendOptions, ThrottleRetry } from './throttle-retry.ts';

/** A DynamoDB table, and how requests on it are sent. */
export class Table {
  readonly dynamodb: DynamoDBClient;
  /** A name or an ARN. */
  readonly name: string;
  readonly region: string;
  /** For messages: `the table credential-store in eu-west-1`. */
  readonly location: string;
  readonly signal: AbortSignal | undefined;
  readonly #retry: ThrottleRetry;

  /** @param signal ends every request, which rejects with its reason */
  constructor(
    dynamodb: DynamoDBClient,
    name: string,
    region: string,
    retry = new ThrottleRetry(),
    signal?: AbortSignal,
  ) {
    this.dynamodb = dynamodb;
    this.name = name;
    this.region = region;
    this.location = `the table ${name} in ${region}`;
    this.signal = signal;
    this.#retry = retry;
  }

  /** The same table, whose requests end once `signal` is aborted. */
  withSignal(signal: AbortSignal): Table {
    return new Table(this.dynamodb, this.name, this.region, this.#retry, signal);
  }

  /**
   * Sends a request, and repeats it while the table throttles.
   *
   * @param action the IAM action, for the error of a denied request: `dynamodb:GetItem`
   * @param send sends the request once; throws the SDK's errors
   * @throws CredstashError
   */
  send<T>(
    action: string,
    send: (options: SendOptions) => Promise<T>,
    signal = this.signal,
  ): Promise<T> {
    return this.#retry.send(
      `the table ${this.name}`,
      send,
      (error) => this.toError(error, action),
      signal,
    );
  }

  /** Translates an error of DynamoDB into the project's. @param action the IAM action */
  toError(error: unknown, action: string): CredstashError {
    return translateDynamoError(error, action, this.name, this.region);
  }

  /** For errors about an invalid answer. */
  get where(): { service: string; resource: string; region: string } {
    return { service: 'DynamoDB', resource: `the table ${this.name}`, region: this.region };
  }
}

/** Translates an error of DynamoDB into the project's. @param action the IAM action */
export function translateDynamoError(
  error: unknown,
  action: string,
  table: string,
  region: string,
): CredstashError {
  const general = translate(error, {
    service: 'DynamoDB',
    action,
    resource: `the table ${table}`,
    region,
  });
  if (readErrorName(error) === 'ResourceNotFoundException') {
    return new CredstashError('TABLE_NOT_FOUND', `there is no table ${table} in ${region}`, {
      hint: 'create it with `setup()`, or name its region with `region` and the table with `table`',
      cause: general.cause,
    });
  }
  return general;
}
