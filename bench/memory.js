/**
 * A module that writes its process's peak memory in KB to a file as it ends. The system's count of a process begins with the peak
 * of the one that started it; Linux has its own as well (proc(5), VmHWM).
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
