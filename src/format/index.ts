import type { Secret } from '../entry.ts';
import { csv } from './csv.ts';
import { dotenv } from './dotenv.ts';
import { json } from './json.ts';
import { yaml } from './yaml.ts';

export interface FormatOptions {
  readonly rawNames?: boolean;
}

/** What several secrets, in the order of their names, are printed as. */
export const SECRET_FORMATS: Readonly<
  Record<string, (secrets: readonly Secret[], options?: FormatOptions) => string>
> = { json, yaml, csv, dotenv };
