/**
 * What somebody who stores a secret may not have meant about its name, as warnings to print: readers find it only under
 * exactly this name.
 */
export function nameRemarks(name: string): string[] {
  const remarks: string[] = [];
  if (name !== name.trim()) remarks.push(`the name "${name}" begins or ends with white space`);
  if (name !== name.normalize('NFC')) {
    remarks.push(
      `the name "${name}" is not in Unicode's form NFC, so it differs from the one that most keyboards type`,
    );
  }
  return remarks;
}
