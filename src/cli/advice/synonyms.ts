import { didYouMean } from '../../util/near-name.ts';

/** Commands of other tools, and the command here that does the same. */
const SYNONYMS: Readonly<Record<string, string>> = {
  ls: 'credstash list',
  dir: 'credstash list',
  rm: 'credstash delete NAME',
  remove: 'credstash delete NAME',
  del: 'credstash delete NAME',
  show: 'credstash get NAME',
  cat: 'credstash get NAME',
  read: 'credstash get NAME',
  view: 'credstash get NAME',
  set: 'credstash put NAME',
  add: 'credstash put NAME',
  write: 'credstash put NAME',
  store: 'credstash put NAME',
  create: 'credstash put NAME',
  update: 'credstash put -a NAME',
  edit: 'credstash put -a NAME',
  rotate: 'credstash put -a NAME',
  init: 'credstash setup',
  version: 'credstash --version',
  run: 'credstash exec GLOB -- COMMAND',
  env: 'credstash exec GLOB -- env, or credstash getall -f dotenv',
  export: 'credstash getall -f dotenv',
  dump: 'credstash getall',
  import: 'credstash putall @FILE',
  load: 'credstash putall @FILE',
  cp: 'credstash copy --to-table TABLE',
  template: 'credstash render TEMPLATE',
  inject: 'credstash render TEMPLATE',
  versions: 'credstash history NAME',
  log: 'credstash history NAME',
  tag: 'credstash label NAME LABEL',
  untag: 'credstash unlabel NAME LABEL',
  check: 'credstash doctor',
  completions: 'credstash completion bash',
};

/** Suggests a command in the place of an unknown one. @param words the existing commands */
export function hintAtCommand(typed: string, words: readonly string[]): string | undefined {
  const same = Object.hasOwn(SYNONYMS, typed.toLowerCase())
    ? SYNONYMS[typed.toLowerCase()]
    : undefined;
  if (same !== undefined) return `use ${same}`;
  return didYouMean(
    typed,
    words.filter((word) => !word.startsWith('__')),
  );
}
