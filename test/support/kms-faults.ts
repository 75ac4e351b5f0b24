import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { KmsError } from './kms-keys.ts';

/** What can go wrong in front of KMS, or in it, whatever was asked. */
export type Fault =
  | 'throttle'
  | 'deny'
  | 'hang'
  | 'reset'
  | 'error500'
  | 'unavailable503'
  | 'expired-token'
  | 'bad-token'
  | 'half-answer'
  | 'not-json';

interface PlannedFault {
  readonly fault: Fault;
  readonly action: string | undefined;
  left: number;
}

/** The faults that stand in front of the next requests. */
export class FaultPlan {
  #planned: PlannedFault[] = [];

  add(fault: Fault, times = Infinity, action?: string): void {
    this.#planned.push({ fault, action, left: times });
  }

  clear(): void {
    this.#planned = [];
  }

  /** Uses up one turn of the oldest fault that applies to this action. */
  next(action: string): Fault | undefined {
    const planned = this.#planned.find(
      (one) => one.left > 0 && (one.action === undefined || one.action === action),
    );
    if (planned) planned.left -= 1;
    return planned?.fault;
  }
}

/** Breaks an answer on the wire, or throws the error that KMS answers. */
export function commit(
  fault: Fault,
  action: string,
  resource: string,
  response: ServerResponse & { socket: Socket | null },
): void {
  switch (fault) {
    case 'throttle':
      throw new KmsError('ThrottlingException', 'Rate exceeded');
    case 'deny':
      throw new KmsError(
        'AccessDeniedException',
        `User: arn:aws:iam::123456789012:user/tester is not authorized to perform: kms:${action} on resource: ${resource} because no identity-based policy allows the kms:${action} action`,
      );
    case 'error500':
      throw new KmsError('KMSInternalException', 'Internal failure', 500);
    case 'unavailable503':
      throw new KmsError('ServiceUnavailableException', 'Service unavailable', 503);
    case 'expired-token':
      throw new KmsError(
        'ExpiredTokenException',
        'The security token included in the request is expired',
      );
    case 'bad-token':
      throw new KmsError(
        'UnrecognizedClientException',
        'The security token included in the request is invalid.',
      );
    case 'hang':
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'half-answer':
      response.writeHead(200, {
        'content-type': 'application/x-amz-json-1.1',
        'content-length': '1000',
      });
      response.write('{"KeyId":"arn:aws:kms:', () => response.socket?.destroy());
      return;
    case 'not-json':
      // What a proxy or a captive portal answers in the place of AWS.
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<!doctype html><title>Sign in to the network</title>\n');
  }
}
