/** @file Names: unique within a model, looked up from the inside out. */
import type { Value } from "../graph/index.ts";

/** Longer names are cut when they are made up, so that repeated inlining cannot grow them without bound. */
const longestMadeUpName = 120;

/** Gives each value of a model a name of its own. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #next = new Map<string, number>();

  /** `name` itself the first time, with a number after it from then on. */
  claim(name: string): string {
    if (name !== "" && !this.#taken.has(name)) {
      this.#taken.add(name);
      return name;
    }
    const base = name.slice(0, longestMadeUpName) || "value";
    let count = this.#next.get(base) ?? 1;
    while (this.#taken.has(`${base}_${count}`)) count++;
    this.#next.set(base, count + 1);
    this.#taken.add(`${base}_${count}`);
    return `${base}_${count}`;
  }
}

/** The values a graph or a function can speak of: its own, then those of the graphs around it. */
export class Scope {
  readonly #values = new Map<string, Value>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  find(name: string): Value | undefined {
    return this.#values.get(name) ?? this.#outer?.find(name);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  set(name: string, value: Value): void {
    this.#values.set(name, value);
  }
}
