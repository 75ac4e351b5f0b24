/** The largest page of a scan or query. */
const PAGE_BYTES = 2 ** 20;
/** How much one read unit reads, strongly consistent. */
const UNIT_BYTES = 4096;

/**
 * Estimates the read units of a scan: strongly consistent, each page rounded up to 4 KB. A table of more than a page has its
 * first page read twice (`scanItems`).
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
 *
 * @param bytes the size of all items, `TableSizeBytes` of DescribeTable
 */
export function estimateScanUnits(bytes: number): number {
  const again = isOfSeveralPages(bytes) ? PAGE_BYTES : 0;
  return Math.max(1, Math.ceil((bytes + again) / UNIT_BYTES));
}

/** Whether a scan of `bytes` takes more than one request. */
export function isOfSeveralPages(bytes: number): boolean {
  return bytes > PAGE_BYTES;
}
