import { createHmac } from 'node:crypto';
import { DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { ctr } from '@noble/ciphers/webcrypto.js';

/*
 * The least work of a get: one request to each service, an HMAC and AES. It reads no settings, checks nothing and has no
 * command line. bench/run.js bundles it as the command is and gives it the same code cache, so the difference is our code.
 */
const region = 'us-east-1';
const endpoint = process.env.AWS_ENDPOINT_URL ?? '';
process.removeAllListeners('warning');

async function main() {
  const dynamodb = new DynamoDBClient({ region, endpoint });
  const { Items: [item] = [] } = await dynamodb.send(
    new QueryCommand({
      TableName: 'credential-store',
      Limit: 1,
      ConsistentRead: true,
      ScanIndexForward: false,
      KeyConditionExpression: '#name = :name',
      ExpressionAttributeNames: { '#name': 'name' },
      ExpressionAttributeValues: { ':name': { S: 'original' } },
    }),
  );
  const kms = new KMSClient({ region, endpoint });
  const wrapped = Buffer.from(item?.key?.S ?? '', 'base64');
  const { Plaintext: key = new Uint8Array(64) } = await kms.send(
    new DecryptCommand({ CiphertextBlob: wrapped }),
  );
  const contents = Buffer.from(item?.contents?.S ?? '', 'base64');
  const hmac = createHmac('sha256', key.subarray(32)).update(contents).digest('hex');
  // Binary, of the hexadecimal digits.
  if (hmac !== Buffer.from(item?.hmac?.B ?? []).toString()) throw new Error('the HMAC is wrong');
  const counter = new Uint8Array(16);
  counter[15] = 1;
  process.stdout.write(await ctr(key.subarray(0, 32), counter).decrypt(contents));
  dynamodb.destroy();
  kms.destroy();
}

void main();
