/** @file JSON from a stranger, read field by field. */

/** A JSON object from a stranger: its fields are read one by one, each asked for its type. */
export class Fields {
  readonly #values: ReadonlyMap<string, unknown>;
  constructor(value: unknown) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    this.#values = new Map(isObject ? Object.entries(value) : []);
  }
  names(): readonly string[] {
    return [...this.#values.keys()];
  }
  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" && value !== "" ? value : undefined;
  }
  /** A count or size: a whole number from 0, also where it is written as text. */
  count(name: string): number | undefined {
    const value = this.#values.get(name);
    const number = typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
    return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : undefined;
  }
  fields(name: string): Fields {
    return new Fields(this.#values.get(name));
  }
  list(name: string): readonly unknown[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value : [];
  }
  texts(name: string): readonly string[] {
    return this.list(name).filter((each) => typeof each === "string");
  }
}
