/** @file A layer's config as files hold it: JSON by strangers, read field by field. */
import { GraftError } from "../tensor/index.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export type JsonObject = { readonly [key: string]: Json };

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A layer's config under Keras's keys. Every reader throws GraftError `model-invalid` that names the field. */
export class Config {
  readonly #fields: { readonly [key: string]: Json };

  constructor(fields: { readonly [key: string]: Json }) {
    this.#fields = fields;
  }

  /** The field as it is; `undefined` where there is none or it is null. */
  get(key: string): Json | undefined {
    return Object.hasOwn(this.#fields, key) ? (this.#fields[key] ?? undefined) : undefined;
  }

  /** The field, or what Keras takes where the file does not mention it; null is a mention. */
  or(key: string, otherwise: Json): Json | undefined {
    return Object.hasOwn(this.#fields, key) ? this.get(key) : otherwise;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** Python writes infinity as it is: `ReLU(max_value=inf)`. */
  number(key: string, otherwise?: number): number {
    const value = this.get(key) ?? otherwise;
    return typeof value === "number" && !Number.isNaN(value) ? value : this.refuse(key, "a number", value);
  }

  /** A whole number from 0 to 2^31 − 1. */
  count(key: string, otherwise?: number): number {
    const value = this.number(key, otherwise);
    const isCount = Number.isInteger(value) && value >= 0 && value < 2 ** 31;
    return isCount ? value : this.refuse(key, "a whole number", value);
  }

  boolean(key: string, otherwise?: boolean): boolean {
    const value = this.get(key) ?? otherwise;
    return typeof value === "boolean" ? value : this.refuse(key, "true or false", value);
  }

  text(key: string, otherwise?: string): string {
    const value = this.get(key) ?? otherwise;
    return typeof value === "string" ? value : this.refuse(key, "a text", value);
  }

  /** One whole number for each of `rank` axes; a single number stands for all. */
  counts(key: string, rank: number, otherwise?: number | readonly number[]): readonly number[] {
    const value = this.get(key) ?? otherwise;
    const list: readonly unknown[] = Array.isArray(value) ? value : Array.from({ length: rank }, () => value);
    const isCount = (each: unknown): each is number =>
      typeof each === "number" && Number.isInteger(each) && each >= 0 && each < 2 ** 31;
    if (list.length === 1 && rank > 1) return Array.from({ length: rank }, () => Number(list[0]));
    return list.length === rank && list.every(isCount) ? list : this.refuse(key, `${rank} whole numbers`, value);
  }

  /** A list of numbers; a single number is a list of one. */
  numbers(key: string, otherwise?: readonly number[]): readonly number[] {
    const value = this.get(key) ?? otherwise;
    const list: readonly unknown[] = Array.isArray(value) ? value : [value];
    const isNumber = (each: unknown): each is number => typeof each === "number";
    return list.every(isNumber) ? list : this.refuse(key, "numbers", value);
  }

  refuse(key: string, expected: string, actual: unknown): never {
    throw new GraftError("model-invalid", `its "${key}" cannot be read`, {
      expected,
      actual: actual === undefined ? "nothing" : JSON.stringify(actual).slice(0, 80),
    });
  }
}
