import type { Row } from './layout.ts';

/** A page of the help that is about no single command: paragraphs, and tables of two columns. */
export interface Topic {
  readonly summary: string;
  readonly parts: readonly (string | { readonly title: string; readonly rows: readonly Row[] })[];
}

const references: Topic = {
  summary: 'how to name a secret in a template or in the environment',
  parts: [
    'A reference names one secret. exec resolves references in the environment, render in a template.',
    {
      title: 'Forms',
      rows: [
        ['credstash://NAME', 'the newest version'],
        ['credstash://NAME?version=V', 'the version V'],
        ['credstash://NAME?label=L', 'the version that has the label L'],
        ['credstash://NAME?KEY=VALUE', 'under this encryption context; add more pairs with &'],
        ['credstash://NAME#FIELD', 'one field of a secret that is JSON'],
        ['credstash://NAME#/A/0/B', 'a nested field, as a JSON Pointer (RFC 6901)'],
      ],
    },
    '#FIELD comes last. Percent-encode % ? & = # | { } and white space in a NAME, KEY, VALUE or FIELD: a # in a name is %23.',
    {
      title: 'In a template',
      rows: [
        ['{{ credstash://NAME }}', 'the bytes of the secret'],
        ['{{ credstash://NAME | json }}', 'a JSON string with its quotes'],
        ['{{ credstash://NAME | shell }}', 'one word of a shell, in single quotes'],
        ['{{ credstash://NAME | base64 }}', 'base64'],
      ],
    },
    {
      title: 'In the environment',
      rows: [
        ['exec -- COMMAND', 'resolves every reference of the environment'],
        ['exec --resolve=NAME …', 'resolves the variable NAME and no other'],
        ['exec --env NAME=SECRET …', 'sets NAME; credstash:// may be left out'],
        ['exec --file NAME=SECRET …', 'writes it to a file, and sets NAME to the path'],
      ],
    },
  ],
};

const formats: Topic = {
  summary: 'the formats of get -f and getall -f',
  parts: [
    'get -f FORMAT NAME… prints one or several secrets; get GLOB and getall print json by default.',
    {
      title: 'Formats',
      rows: [
        ['json', 'for programs and putall'],
        ['yaml', 'for programs and putall'],
        ['csv', 'NAME,VALUE in each line (RFC 4180)'],
        ['dotenv', 'a .env file'],
        ['shell', 'eval "$(credstash getall -f shell)" in any POSIX shell'],
        ['fish', 'credstash getall -f fish | source'],
        ['docker', 'docker run --env-file'],
        ['github', 'a step of GitHub Actions; with --github-env, masked'],
        ['k8s', 'kubectl apply -f -: the manifest of a Secret; --k8s-name NAME names it'],
        ['tfvars', 'a file NAME.auto.tfvars.json of Terraform'],
        ['properties', 'java.util.Properties'],
      ],
    },
    "dotenv, shell, fish, docker and github name variables: db.password is DB_PASSWORD. --prefix puts a prefix before each, --raw-names keeps names unchanged. get GLOB --strip-prefix leaves GLOB's prefix out, as exec does.",
    'json and yaml hold any bytes. The other formats refuse what they cannot hold, name the secret and print nothing.',
  ],
};

const exitStatus: Topic = {
  summary: 'what the exit status means',
  parts: [
    {
      title: 'Exit statuses',
      rows: [
        ['0', 'everything was done'],
        ['1', 'unexpected; a full disk; the editor failed'],
        ['2', 'usage or bad input'],
        ['3', 'no such secret, version, field, table or vault'],
        ['4', 'the version exists, or somebody changed it meanwhile'],
        ['5', 'integrity: the entry does not verify, or is not trusted'],
        ['6', 'credentials, permissions or the key; a wrong encryption context'],
        ['7', 'throttled or unreachable, after retries; not done within --timeout'],
        ['126', 'COMMAND of exec cannot be executed'],
        ['127', 'COMMAND of exec was not found'],
        ['130', 'Ctrl-C at a prompt'],
      ],
    },
    'exec otherwise ends with the status of COMMAND, or 128 and the number of the signal that ended it.',
  ],
};

const environment: Topic = {
  summary: 'the environment variables and ~/.credstash',
  parts: [
    'An option wins over the environment, the environment over ~/.credstash. credstash doctor shows each setting and where it came from.',
    {
      title: 'credstash',
      rows: [
        ['CREDSTASH_LOCAL', '1 or a folder: use the local vault'],
        ['CREDSTASH_DEFAULT_TABLE', 'DynamoDB table, name or ARN'],
        ['CREDSTASH_CIPHER', 'cipher of put: AES-256-GCM or AES-256-CTR'],
        ['CREDSTASH_TRUSTED_KEYS', 'ARNs of KMS keys: no other key is used'],
        ['CREDSTASH_FORMATS', 'ciphers of entries: no other is opened or sealed'],
        ['CREDSTASH_TIMEOUT', 'as --timeout'],
        ['CREDSTASH_CODE_CACHE', '0: keep no compiled code for the next start'],
      ],
    },
    {
      title: 'AWS',
      rows: [
        ['AWS_REGION, AWS_PROFILE', 'region and profile'],
        ['AWS_ACCESS_KEY_ID, …', 'credentials; SSO, roles and containers work too'],
        ['AWS_ENDPOINT_URL', 'address of the services'],
        ['AWS_MAX_ATTEMPTS', 'attempts of a request'],
        ['AWS_CA_BUNDLE', 'certificates to trust'],
        ['HTTPS_PROXY, NO_PROXY', 'a proxy'],
      ],
    },
    {
      title: 'Terminal',
      rows: [
        ['NO_COLOR', 'no colour and no bold type'],
        ['FORCE_COLOR', '1: colour also in a pipe; 0: none'],
      ],
    },
    '~/.credstash is a JSON object: kms-region, cipher, trusted-keys, formats.',
  ],
};

/** Besides `options`, which is made of the table of options. */
export const TOPICS: Readonly<Record<string, Topic>> = {
  references,
  formats,
  'exit-status': exitStatus,
  environment,
};

/** All topics, as they are typed. */
export const TOPIC_NAMES = ['options', ...Object.keys(TOPICS)];
