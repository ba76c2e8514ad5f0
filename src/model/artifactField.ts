/** @file Reading a JSON document from a stranger field by field: what is wrong is named with its place. */
import { GraftError } from "../tensor/index.ts";

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

interface Bounds {
  readonly from?: number;
  readonly above?: number;
  readonly to?: number;
}

/** A place in a document from a stranger: what stands there is asked for by kind, and is an error where it is another. */
export class Field {
  readonly #value: unknown;
  readonly #path: readonly string[];
  readonly #code: "usage" | "model-invalid";

  constructor(value: unknown, path: readonly string[], code: "usage" | "model-invalid") {
    this.#value = value;
    this.#path = path;
    this.#code = code;
  }

  /** The member of that name, whether it is there or not. */
  get(name: string): Field {
    const members = this.#members();
    return this.#inner(members.get(name), name);
  }

  /** The member of that name, or `undefined` where there is none. */
  optional(name: string): Field | undefined {
    const members = this.#members();
    return members.has(name) ? this.#inner(members.get(name), name) : undefined;
  }

  text(): string {
    if (typeof this.#value === "string") return this.#value;
    throw this.unlike("text");
  }

  oneOf<const Choice extends string>(choices: readonly Choice[]): Choice {
    const found = choices.find((choice) => choice === this.#value);
    if (found !== undefined) return found;
    throw this.unlike(choices.map((choice) => `"${choice}"`).join(" or "));
  }

  number({ from = Number.NEGATIVE_INFINITY, above = Number.NEGATIVE_INFINITY, to = Infinity }: Bounds = {}): number {
    const value = this.#value;
    if (typeof value === "number" && value >= from && value > above && value <= to) return value;
    const low = Number.isFinite(above) ? ` above ${above}` : Number.isFinite(from) ? ` from ${from}` : "";
    throw this.unlike(`a number${low}${Number.isFinite(to) ? ` to ${to}` : ""}`);
  }

  whole(from: number, to: number = Number.MAX_SAFE_INTEGER): number {
    if (Number.isInteger(this.#value)) return this.number({ from, to });
    throw this.unlike(`a whole number from ${from}`);
  }

  /** A list of exactly `count` numbers. */
  numbers(count: number): readonly number[] {
    const numbers = this.list((field) => field.number());
    if (numbers.length === count) return numbers;
    throw this.unlike(`${count} numbers`);
  }

  triple(): readonly [number, number, number] {
    const [first = 0, second = 0, third = 0] = this.numbers(3);
    return [first, second, third];
  }

  list<T>(read: (field: Field) => T): readonly T[] {
    const value: unknown = this.#value;
    if (!Array.isArray(value)) throw this.unlike("a list");
    return value.map((each: unknown, index) => read(this.#inner(each, String(index))));
  }

  /** By name; names may be anything, `__proto__` too. */
  record<T>(read: (field: Field) => T): { readonly [name: string]: T } {
    const record: { [name: string]: T } = Object.create(null);
    for (const [name, value] of this.#members()) record[name] = read(this.#inner(value, name));
    return record;
  }

  orNull<T>(read: (field: Field) => T): T | null {
    return this.#value === null ? null : read(this);
  }

  /** Anything: it came from JSON, so it is JSON. */
  json(): Json {
    if (this.#value === undefined) throw this.unlike("a value");
    return this.#value as Json;
  }

  unlike(expected: string, hint?: string): GraftError {
    const shown = JSON.stringify(this.#value) ?? "nothing";
    return new GraftError(this.#code, "the metadata do not fit their schema", {
      path: [this.#path.join(".")],
      expected,
      actual: shown.length > 60 ? `${shown.slice(0, 60)}…` : shown,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  #inner(value: unknown, name: string): Field {
    return new Field(value, [...this.#path, name], this.#code);
  }

  #members(): ReadonlyMap<string, unknown> {
    const value = this.#value;
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw this.unlike("an object");
    return new Map(Object.entries(value));
  }
}
