/** The values that a call has opened. If the call fails, nobody gets them, and they are wiped. */
export class OpenedValues {
  readonly #values: Uint8Array[] = [];
  #isDropped = false;

  /** Adds a value. It is wiped at once if the call has failed meanwhile: what is under way goes on behind it. */
  add(value: Uint8Array): Uint8Array {
    if (this.#isDropped) value.fill(0);
    else this.#values.push(value);
    return value;
  }

  /** Wipes the values, and those that are added later. */
  drop(): void {
    this.#isDropped = true;
    for (const value of this.#values) value.fill(0);
  }
}
