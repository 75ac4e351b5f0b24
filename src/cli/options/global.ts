import { CredstashError } from '../../errors.ts';
import { defineOptions, type OptionValues } from './define.ts';

/** Python's names, as in the original. Errors are always logged. `debug` adds their stacks. */
const LOG_LEVELS = ['notset', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'critical'];

/** The options that every command takes, before its name or after it. */
export const GLOBAL_OPTIONS = defineOptions({
  region: {
    flags: '-r, --region <region>',
    description: 'AWS region (default: AWS_REGION, AWS_DEFAULT_REGION, the profile, us-east-1)',
  },
  kmsRegion: {
    flags: '--kms-region <region>',
    description: 'AWS region of the KMS key (default: the same)',
  },
  fallbackRegion: {
    flags: '--fallback-region <region>',
    description:
      'read from this region if the other has an outage; can be repeated (or CREDSTASH_FALLBACK_REGIONS)',
    repeatable: true,
  },
  table: {
    flags: '-t, --table <table>',
    description: 'DynamoDB table, name or ARN (default: CREDSTASH_DEFAULT_TABLE, credential-store)',
  },
  profile: {
    flags: '-p, --profile <profile>',
    description: "profile of AWS's configuration files",
  },
  arn: { flags: '-n, --arn <role>', description: 'ARN of an IAM role to assume' },
  externalId: {
    flags: '--external-id <id>',
    description: 'external ID that the trust policy of the role asks for',
  },
  /** `1`, from `--local` without a folder, is the default folder. */
  local: {
    flags: '--local [folder]',
    description: 'use the local vault, in FOLDER if given as --local=FOLDER (or CREDSTASH_LOCAL)',
  },
  logLevel: {
    flags: '--log-level <level>',
    description: 'show where an error came from',
    shown: ['debug'],
    parse: parseLogLevel,
  },
  logFile: {
    flags: '--log-file <file>',
    description: 'add errors, and where they came from, to FILE (default: none)',
  },
  // Without a short form, because scripts may have a VALUE such as '-q x'.
  quiet: {
    flags: '--quiet',
    description: 'show neither progress nor waits; errors and warnings stay',
  },
  timeout: {
    flags: '--timeout <duration>',
    description: 'end with exit status 7 if it takes longer than 30s, 2m, … (or CREDSTASH_TIMEOUT)',
  },
});

export type GlobalOptions = OptionValues<typeof GLOBAL_OPTIONS>;

function parseLogLevel(level: string): string {
  if (LOG_LEVELS.includes(level.toLowerCase())) return level.toLowerCase();
  throw new CredstashError('USAGE', `the log level is one of ${LOG_LEVELS.join(', ')}`);
}
