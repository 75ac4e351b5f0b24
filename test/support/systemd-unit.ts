/** A unit, as far as a test needs it: systemd.syntax(7), systemd.service(5) "Command lines". */
export interface Unit {
  readonly settings: ReadonlyMap<string, readonly string[]>;
  /** What `ExecStart` runs, in words, once `environment` is known. */
  readonly command: (environment: Readonly<Record<string, string>>) => string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** @param specifiers what `%t` and the like stand for */
export function parseUnit(text: string, specifiers: Readonly<Record<string, string>>): Unit {
  const settings = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, key = '', value = ''] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (key === '') continue;
    const known = value.replace(/%(.)/g, (_, specifier: string) => {
      const meant = specifier === '%' ? '%' : specifiers[specifier];
      if (meant === undefined) throw new Error(`unknown specifier: ${line}`);
      return meant;
    });
    settings.set(key, [...(settings.get(key) ?? []), known]);
  }
  const environment = Object.fromEntries(
    (settings.get('Environment') ?? [])
      .flatMap(wordsOf)
      .map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]),
  );
  const [start = ''] = settings.get('ExecStart') ?? [];
  const command: Unit['command'] = (known) =>
    wordsOf(start).map((word) =>
      word.replace(/\$\{(\w+)\}/g, (_, name: string) => known[name] ?? ''),
    );
  return { settings, command, environment };
}

/** Words at white space, where quotes around a whole word hold it together; no shell's rules. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
}
