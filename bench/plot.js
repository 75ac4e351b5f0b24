/*
 * The start-up table as bars, in SVG: one for each command, as long as its ratio to `node -e 0`.
 */
const ROW = 26;
const LABELS = 400;
const WIDTH = 920;

/** @param {string} text */
const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

/** @param {{ name: string, median: number, ratio: number }[]} rows */
export function plot(rows) {
  const longest = Math.max(...rows.map(({ ratio }) => ratio));
  const scale = (WIDTH - LABELS - 130) / longest;
  const height = ROW * rows.length + 56;
  const bars = rows.map(({ name, median, ratio }, i) => {
    const y = 40 + i * ROW;
    const fill = name.startsWith('credstash')
      ? '#2563eb'
      : name.startsWith('single')
        ? '#0d9488'
        : '#9ca3af';
    return `  <text x="${LABELS - 10}" y="${y + 14}" text-anchor="end">${escaped(name)}</text>
  <rect x="${LABELS}" y="${y + 2}" width="${(ratio * scale).toFixed(1)}" height="${ROW - 8}" rx="2" fill="${fill}"/>
  <text x="${(LABELS + ratio * scale + 6).toFixed(1)}" y="${y + 14}">${ratio.toFixed(2)} (${median.toFixed(0)} ms)</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="13">
  <rect width="100%" height="100%" fill="#ffffff"/>
  <text x="16" y="24" font-size="15" font-weight="600">Whole processes, as ratios to node -e 0</text>
${bars.join('\n')}
</svg>
`;
}
