/**
 * Lists likely mistakes in the name of a secret to store, as warnings to print. Readers find the secret only under exactly this
 * name.
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
