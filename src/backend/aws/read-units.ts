/** What a page of a scan or query holds at most. */
const PAGE_BYTES = 2 ** 20;
/** What one read unit reads, strongly consistent. */
const UNIT_BYTES = 4096;

/**
 * How many read units a scan of a table takes, about: strongly consistent, each page rounded up to 4 KB, and of a table of more
 * than a page the first page twice (`AwsEntryStore`).
 * https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
 *
 * @param bytes of all items, their names and values, as `TableSizeBytes` of DescribeTable
 */
export function estimateScanUnits(bytes: number): number {
  const again = isOfSeveralPages(bytes) ? PAGE_BYTES : 0;
  return Math.max(1, Math.ceil((bytes + again) / UNIT_BYTES));
}

/** Whether a scan of so many bytes takes more than one request. */
export function isOfSeveralPages(bytes: number): boolean {
  return bytes > PAGE_BYTES;
}
