import { OUTPUT_OPTIONS } from '../files/output.ts';
import { defineOptions } from './define.ts';

/** The option of the commands that list. */
export const JSON_OPTION = defineOptions({
  json: { flags: '--json', description: 'as a JSON array' },
});

/** The options of the commands that list secrets. */
export const LISTING_OPTIONS = defineOptions({
  ...JSON_OPTION,
  output: OUTPUT_OPTIONS.output,
});

/** The argument of the commands that list secrets. */
export const GLOB_ARGUMENT = {
  flags: '[glob]',
  description: 'names to list, * for any run of characters; quote it from the shell',
} as const;
