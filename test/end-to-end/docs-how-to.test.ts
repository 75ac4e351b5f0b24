import { testPages } from './run-page.ts';

/** The AWS CLI and chamber, with answers of the shape that they print. A command line that has no answer fails. */
const OTHER_STORES = {
  aws: `case "$*" in
'ssm get-parameters-by-path --path /prod/api/ --recursive --with-decryption --output json') cat <<'END'
{
    "Parameters": [
        {
            "Name": "/prod/api/db/user",
            "Type": "String",
            "Value": "app",
            "Version": 1,
            "LastModifiedDate": "2026-10-02T09:14:07.512000+00:00",
            "ARN": "arn:aws:ssm:eu-west-1:111122223333:parameter/prod/api/db/user",
            "DataType": "text"
        },
        {
            "Name": "/prod/api/db/password",
            "Type": "SecureString",
            "Value": "p\\"a$$ w\\\\ö\\nrd\\n",
            "Version": 3,
            "LastModifiedDate": "2026-10-02T09:14:09.104000+00:00",
            "ARN": "arn:aws:ssm:eu-west-1:111122223333:parameter/prod/api/db/password",
            "DataType": "text"
        }
    ]
}
END
;;
'secretsmanager list-secrets --filters Key=name,Values=prod/ --output json') cat <<'END'
{
    "SecretList": [
        {
            "ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-a1B2c3",
            "Name": "prod/db",
            "LastChangedDate": "2026-09-01T08:00:00.000000+00:00",
            "SecretVersionsToStages": { "5d7f3b0e-6d0a-4c65-9f6a-1f1c1b0d8f11": ["AWSCURRENT"] },
            "CreatedDate": "2026-09-01T08:00:00.000000+00:00"
        },
        {
            "ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/tls.key-d4E5f6",
            "Name": "prod/tls.key",
            "CreatedDate": "2026-09-01T08:00:00.000000+00:00"
        }
    ]
}
END
;;
'secretsmanager get-secret-value --secret-id prod/db --output json') cat <<'END'
{
    "ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-a1B2c3",
    "Name": "prod/db",
    "VersionId": "5d7f3b0e-6d0a-4c65-9f6a-1f1c1b0d8f11",
    "SecretString": "{\\"username\\":\\"app\\",\\"password\\":\\"p4ss\\"}",
    "VersionStages": ["AWSCURRENT"],
    "CreatedDate": "2026-09-01T08:00:00.000000+00:00"
}
END
;;
'secretsmanager get-secret-value --secret-id prod/tls.key --output json') cat <<'END'
{
    "ARN": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/tls.key-d4E5f6",
    "Name": "prod/tls.key",
    "VersionId": "9a1d2c3e-0b1f-4f4e-8a52-2f4c1d7e6b22",
    "SecretBinary": "/wD+MIIB",
    "VersionStages": ["AWSCURRENT"],
    "CreatedDate": "2026-09-01T08:00:00.000000+00:00"
}
END
;;
'ssm put-parameter --cli-input-json file:///dev/stdin')
  jq -e '.Overwrite and .Type == "SecureString" and .Value == ({
    "/prod/api/db/user": "app", "/prod/api/db/password": "p\\"a$$ w\\\\ö\\nrd\\n"
  }[.Name])'
;;
*) echo "no answer for: aws $*" >&2; exit 252 ;;
esac`,
  chamber: `[ "$*" = 'export --format json prod-api' ] || exit 1
printf '%s\\n' '{"api_key":"a$b\\u0026c","empty":""}'`,
};

testPages('how-to', {
  'run-render-export.md': { standIns: ['docker', 'kubectl'] },
  'several-fields.md': {},
  'rotate-back-up-copy.md': { aws: 'DynamoDB Local', before: 'credstash setup --create-key' },
  'restrict-access.md': { standIns: ['aws'] },
  'regions.md': {
    aws: 'DynamoDB Local',
    before: 'credstash setup --create-key && credstash put app.db.password',
    standIns: ['aws'],
    notRun: {
      'credstash: warning: DynamoDB failed on the table credential-store in eu-west-1 (InternalServerError, HTTP 500), after retries':
        'what an outage prints; fallback.test.ts has one',
    },
  },
  // docs-ci.test.ts and docs-containers.test.ts run these, with what each service gives a job or a container.
  'ci.md': undefined,
  'containers.md': undefined,
  'move-from-other-stores.md': {
    aws: 'dynalite',
    before: 'credstash setup --create-key',
    programs: OTHER_STORES,
  },
  'migrate-from-credstash.md': { aws: 'dynalite', before: 'credstash setup --create-key' },
  'migrate-from-nodecredstash.md': { aws: 'dynalite', before: 'credstash setup --create-key' },
  // docs-library.test.ts runs its tests.
  'test-an-application.md': undefined,
  'troubleshoot.md': {
    aws: 'dynalite',
    before: 'credstash setup --create-key && credstash put app.db.password',
    notRun: {
      'ok       runtime        credstash 0.1.0 on Node.js 22.13.0, linux x64, commit 5d41402abc4b2a76b9719d911017c592ae4f1f2b':
        'an example of what it prints on AWS',
    },
  },
});
