import { randomBytes, randomUUID } from 'node:crypto';
import { startHttpServer } from './http-server.ts';
import {
  type Credential,
  type CredentialLookup,
  testCredential,
  verifySignature,
} from './sigv4.ts';

/** The code that every MFA device shows here. */
export const mfaCode = '123456';

/** The token of the one identity that a provider here vouches for. */
export const webIdentityToken = 'header.payload.signature';

/** A request for a role as it was received, refused ones included. */
export interface StsRequest {
  readonly action: string;
  /** Undefined for GetCallerIdentity, as all that a role is asked for with. */
  readonly roleArn: string | undefined;
  readonly roleSessionName: string | undefined;
  readonly serialNumber: string | undefined;
  readonly tokenCode: string | undefined;
  readonly externalId: string | undefined;
  readonly userAgent: string | undefined;
  /** The region it was signed for; undefined when the signature does not hold. */
  readonly region: string | undefined;
  /** The access key that signed it; undefined when the signature does not hold. */
  readonly accessKeyId: string | undefined;
}

/** A security token service that knows AssumeRole, AssumeRoleWithWebIdentity and GetCallerIdentity. */
export interface StsServer {
  readonly url: string;
  readonly requests: StsRequest[];
  /** Finds the temporary credentials handed out so far: give it to startKmsServer. */
  readonly credentials: CredentialLookup;
  /** Answers AccessDenied from now on, or no longer. */
  readonly deny: (denied: boolean) => void;
  readonly close: () => Promise<void>;
}

export interface StsServerOptions {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
}

/** An error as STS answers it. */
class StsError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 403) {
    super(message);
    this.name = 'StsError';
    this.code = code;
    this.status = status;
  }
}

/** The one action that needs no signature: the token stands for it. */
const withToken = 'AssumeRoleWithWebIdentity';
const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';
const user = 'arn:aws:iam::123456789012:user/tester';

/** What STS calls the errors that services of the JSON protocols name otherwise. */
const queryCodes: Readonly<Record<string, string>> = {
  IncompleteSignatureException: 'IncompleteSignature',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  UnrecognizedClientException: 'InvalidClientTokenId',
};

function xml(text: string): string {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function errorAnswer(error: StsError): string {
  return `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>${error.code}</Code><Message>${xml(error.message)}</Message></Error><RequestId>${randomUUID()}</RequestId></ErrorResponse>`;
}

function sessionArn({ roleArn = '', roleSessionName = '' }: StsRequest): string {
  const [, , , , account = '', resource = ''] = roleArn.split(':');
  return `arn:aws:sts::${account}:assumed-role/${resource.split('/').at(-1) ?? ''}/${roleSessionName}`;
}

function assumeRoleAnswer(request: StsRequest, issued: Required<Credential>, until: Date): string {
  const session = request.roleSessionName ?? '';
  const { action } = request;
  return `<${action}Response xmlns="${namespace}"><${action}Result>
<AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:${xml(session)}</AssumedRoleId><Arn>${xml(sessionArn(request))}</Arn></AssumedRoleUser>
<Credentials><AccessKeyId>${issued.accessKeyId}</AccessKeyId><SecretAccessKey>${issued.secretAccessKey}</SecretAccessKey><SessionToken>${issued.sessionToken}</SessionToken><Expiration>${until.toISOString()}</Expiration></Credentials>
</${action}Result><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></${action}Response>`;
}

function identityAnswer(arn: string): string {
  const result = `<Arn>${xml(arn)}</Arn><UserId>AIDAEXAMPLE</UserId><Account>123456789012</Account>`;
  return `<GetCallerIdentityResponse xmlns="${namespace}"><GetCallerIdentityResult>${result}</GetCallerIdentityResult><ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata></GetCallerIdentityResponse>`;
}

/** Throws what STS answers to a request that may not have the role. */
function authorize(request: StsRequest, denied: boolean): void {
  if (request.action !== 'AssumeRole' && request.action !== withToken) {
    throw new StsError('InvalidAction', `Could not find operation ${request.action}`, 400);
  }
  if (!request.roleArn || !request.roleSessionName) {
    throw new StsError('ValidationError', 'RoleArn and RoleSessionName must not be null', 400);
  }
  if (denied) {
    throw new StsError(
      'AccessDenied',
      `User: ${user} is not authorized to perform: sts:AssumeRole on resource: ${request.roleArn}`,
    );
  }
  const { serialNumber, tokenCode } = request;
  if ((serialNumber === undefined) !== (tokenCode === undefined)) {
    throw new StsError(
      'AccessDenied',
      'MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.',
    );
  }
  if (serialNumber !== undefined && tokenCode !== mfaCode) {
    throw new StsError(
      'AccessDenied',
      'MultiFactorAuthentication failed with invalid MFA one time pass code.',
    );
  }
}

/** Starts an STS on 127.0.0.1. */
export async function startStsServer(options: StsServerOptions = {}): Promise<StsServer> {
  const own = { ...testCredential, ...options };
  const issued = new Map<string, Credential>();
  // A role may assume another role with the credentials it was given.
  const lookup: CredentialLookup = (id) => (id === own.accessKeyId ? own : issued.get(id));
  const requests: StsRequest[] = [];
  /** Who has the temporary credentials. */
  const roles = new Map<string, string>();
  let denied = false;

  const server = await startHttpServer(
    ({ method = '', url: target = '/', headers }, response, body) => {
      const form = new URLSearchParams(body.toString());
      const signer = verifySignature({ method, target, headers, body }, 'sts', lookup);
      const { region, accessKeyId } = signer.ok ? signer : {};
      const request: StsRequest = {
        action: form.get('Action') ?? '',
        roleArn: form.get('RoleArn') ?? undefined,
        roleSessionName: form.get('RoleSessionName') ?? undefined,
        serialNumber: form.get('SerialNumber') ?? undefined,
        tokenCode: form.get('TokenCode') ?? undefined,
        externalId: form.get('ExternalId') ?? undefined,
        userAgent: headers['user-agent'],
        region,
        accessKeyId,
      };
      requests.push(request);
      response.setHeader('content-type', 'text/xml');
      try {
        if (request.action === withToken) {
          if (form.get('WebIdentityToken') !== webIdentityToken) {
            throw new StsError('InvalidIdentityToken', 'The token is not valid', 400);
          }
        } else if (!signer.ok)
          throw new StsError(queryCodes[signer.code] ?? signer.code, signer.message);
        if (request.action === 'GetCallerIdentity') {
          if (denied) {
            const text = `User: ${user} is not authorized to perform: sts:GetCallerIdentity`;
            throw new StsError('AccessDenied', text);
          }
          response.end(identityAnswer(roles.get(accessKeyId ?? '') ?? user));
          return;
        }
        authorize(request, denied);
        const temporary = {
          accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
          secretAccessKey: randomBytes(30).toString('base64'),
          sessionToken: randomBytes(60).toString('base64'),
        };
        issued.set(temporary.accessKeyId, temporary);
        roles.set(temporary.accessKeyId, sessionArn(request));
        const seconds = Number(form.get('DurationSeconds') ?? 3600);
        response.end(assumeRoleAnswer(request, temporary, new Date(Date.now() + seconds * 1000)));
      } catch (error) {
        if (!(error instanceof StsError)) throw error;
        response.statusCode = error.status;
        response.end(errorAnswer(error));
      }
    },
  );

  return {
    url: server.url,
    requests,
    credentials: (accessKeyId) => issued.get(accessKeyId),
    deny: (value) => {
      denied = value;
    },
    close: () => server.close(),
  };
}
