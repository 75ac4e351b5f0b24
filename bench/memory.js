/**
 * Returns the source of a module that writes the peak memory of its process in KB to a file at exit. The count of getrusage(2)
 * begins with the peak of the parent process; Linux also has a count of the process itself (proc(5), VmHWM).
 *
 * @param {string} report
 */
export const memoryHook = (report) => `const { readFileSync, writeFileSync } = require('node:fs');
process.on('exit', () => {
  let peak = process.resourceUsage().maxRSS;
  try {
    peak = /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
  } catch {}
  writeFileSync(${JSON.stringify(report)}, String(peak));
});
`;
