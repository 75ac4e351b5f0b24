/**
 * What a runner of GitHub Actions takes from the file GITHUB_ENV: `NAME=value` lines, and `NAME<<DELIMITER` with the
 * lines up to the next that is the delimiter and nothing else.
 *
 * @param windows whether CR LF is a line break too
 */
export function readGithubEnv(file: string, windows = false): Map<string, string> {
  const environment = new Map<string, string>();
  let at = 0;
  const nextLine = (): { line: string; end: number } | undefined => {
    if (at >= file.length) return undefined;
    const start = at;
    const lf = file.indexOf('\n', at);
    at = lf === -1 ? file.length : lf + 1;
    const end = lf === -1 ? at : windows && lf > start && file[lf - 1] === '\r' ? lf - 1 : lf;
    return { line: file.slice(start, end), end };
  };
  for (let next = nextLine(); next; next = nextLine()) {
    const { line } = next;
    if (line === '') continue;
    const equals = line.indexOf('=');
    const heredoc = line.indexOf('<<');
    if (equals !== -1 && (heredoc === -1 || equals < heredoc)) {
      environment.set(line.slice(0, equals), line.slice(equals + 1));
      continue;
    }
    const name = line.slice(0, Math.max(heredoc, 0));
    const delimiter = line.slice(heredoc + 2);
    if (name === '' || delimiter === '') throw new Error(`Invalid format '${line}'`);
    const start = at;
    let end = at;
    for (;;) {
      const next = nextLine();
      if (next === undefined) throw new Error(`Matching delimiter not found '${delimiter}'`);
      if (next.line === delimiter) break;
      ({ end } = next);
    }
    environment.set(name, file.slice(start, end));
  }
  return environment;
}

/** What a runner masks after these lines of a log, none of which may be anything but an add-mask command. */
export function readMasks(log: string): string[] {
  return log
    .split(/\r\n|\r|\n/)
    .filter((line) => line !== '')
    .map((line) => {
      const data = /^::add-mask::(.*)$/s.exec(line)?.[1];
      if (data === undefined) throw new Error(`no mask: ${line}`);
      // The escapes of a workflow command's data, the percent sign last.
      const text = data.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%');
      if (text.trim() === '') throw new Error('Can’t add secret mask for empty string');
      return text;
    });
}
