/** @file Protobuf messages as they lie in a file: framing is checked at once, fields are decoded where they are asked for. */
import { GraftError } from "../../tensor/index.ts";

/** What all messages of a file may ask for together: an object each, so there may be one for every four bytes of it. */
interface Budget {
  items: number;
}
const freeItems = 20_000;
const bytesPerItem = 4;

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** One occurrence of a field: its wire type, and where its value lies. */
interface Occurrence {
  readonly wireType: number;
  readonly start: number;
  readonly end: number;
}

/**
 * A message by the numbers of its fields. What is asked for and is not there is protobuf's default; of a field that is
 * single and comes twice the last counts. Specification: protobuf.dev/programming-guides/encoding.
 */
export class Message {
  readonly name: string;
  readonly #bytes: Uint8Array;
  readonly #budget: Budget;
  readonly #fields = new Map<number, Occurrence[]>();
  /** Where the number ends that was read last. */
  #next = 0;

  private constructor(bytes: Uint8Array, name: string, budget: Budget) {
    this.name = name;
    this.#bytes = bytes;
    this.#budget = budget;
    this.#index();
  }

  /** The message that a file is. @throws GraftError `model-invalid` where the bytes are none */
  static of(bytes: Uint8Array, name: string): Message {
    return new Message(bytes, name, { items: freeItems + bytes.length / bytesPerItem });
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  text(field: number): string {
    return this.#text(this.#last(field));
  }

  texts(field: number): string[] {
    return this.#all(field).map((occurrence) => this.#text(occurrence));
  }

  bytes(field: number): Uint8Array {
    return this.#content(this.#last(field));
  }

  byteStrings(field: number): Uint8Array[] {
    return this.#all(field).map((occurrence) => this.#content(occurrence));
  }

  message(field: number, name: string): Message | undefined {
    const occurrence = this.#last(field);
    return occurrence && new Message(this.#content(occurrence), name, this.#budget);
  }

  messages(field: number, name: string): Message[] {
    return this.#all(field).map((occurrence) => new Message(this.#content(occurrence), name, this.#budget));
  }

  /** A map: entries of a key (text, field 1) and a message (field 2). */
  map(field: number, name: string): Map<string, Message> {
    const entries = this.messages(field, name).map(
      (entry) => [entry.text(1), entry.message(2, name) ?? new Message(new Uint8Array(0), name, this.#budget)] as const,
    );
    return new Map(entries);
  }

  /** A signed or unsigned number; beyond 2^53 its low digits are lost. */
  integer(field: number): number {
    return Number(this.bigints(field).at(-1) ?? 0n);
  }

  boolean(field: number): boolean {
    return this.integer(field) !== 0;
  }

  integers(field: number): number[] {
    return this.bigints(field).map(Number);
  }

  /** Varints, packed or not, as signed 64-bit numbers. */
  bigints(field: number): bigint[] {
    const values: bigint[] = [];
    for (const { wireType, start, end } of this.#all(field)) {
      if (wireType !== 0 && wireType !== 2) this.#fail(`field ${field} is no whole number`);
      for (let position = start; position < end; ) {
        values.push(this.#signed(position));
        position = this.#next;
        if (position > end) this.#fail("packed numbers are cut short");
      }
    }
    return values;
  }

  /** The four bytes of a fixed32. */
  fixed32(field: number): number {
    const occurrence = this.#last(field);
    if (occurrence === undefined) return 0;
    if (occurrence.wireType !== 5) this.#fail(`field ${field} is no 32-bit number`);
    return this.#view(occurrence).getUint32(0, true);
  }

  floats(field: number): number[] {
    return this.#fixed(field, 5, 4, (view, offset) => view.getFloat32(offset, true));
  }

  doubles(field: number): number[] {
    return this.#fixed(field, 1, 8, (view, offset) => view.getFloat64(offset, true));
  }

  #fixed(field: number, wireType: number, width: number, read: (view: DataView, offset: number) => number): number[] {
    const values: number[] = [];
    for (const occurrence of this.#all(field)) {
      const view = this.#view(occurrence);
      const fits = occurrence.wireType === wireType || (occurrence.wireType === 2 && view.byteLength % width === 0);
      if (!fits) this.#fail(`field ${field} is no ${8 * width}-bit number`);
      for (let offset = 0; offset < view.byteLength; offset += width) values.push(read(view, offset));
    }
    return values;
  }

  #all(field: number): readonly Occurrence[] {
    return this.#fields.get(field) ?? [];
  }

  #last(field: number): Occurrence | undefined {
    return this.#fields.get(field)?.at(-1);
  }

  #view({ start, end }: Occurrence): DataView {
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start);
  }

  #content(occurrence: Occurrence | undefined): Uint8Array {
    if (occurrence === undefined) return new Uint8Array(0);
    if (occurrence.wireType !== 2) this.#fail("a number where a message or a text is expected");
    return this.#bytes.subarray(occurrence.start, occurrence.end);
  }

  #text(occurrence: Occurrence | undefined): string {
    try {
      return utf8.decode(this.#content(occurrence));
    } catch (cause) {
      if (cause instanceof GraftError) throw cause;
      return this.#fail("a text is not UTF-8");
    }
  }

  #index(): void {
    const bytes = this.#bytes;
    for (let position = 0; position < bytes.length; ) {
      const tag = this.#unsigned(position);
      const field = Math.floor(tag / 8);
      const wireType = tag % 8;
      if (field < 1 || field >= 2 ** 29) this.#fail(`a field has the impossible number ${field}`);
      const start = this.#extent(wireType);
      const end = this.#next;
      if (end > bytes.length) this.#fail("a field reaches beyond its end");
      if (wireType === 2 && --this.#budget.items < 0) {
        throw new GraftError("model-refused", "the file has too many fields for its size", { path: [this.name] });
      }
      const occurrence = { wireType, start, end };
      const known = this.#fields.get(field);
      if (known === undefined) this.#fields.set(field, [occurrence]);
      else known.push(occurrence);
      position = end;
    }
  }

  /** Where the value of a field begins whose tag has just been read; `#next` is where it ends. */
  #extent(wireType: number): number {
    const start = this.#next;
    if (wireType === 0) this.#unsigned(start);
    else if (wireType === 1) this.#next = start + 8;
    else if (wireType === 5) this.#next = start + 4;
    else if (wireType === 2) {
      const length = this.#unsigned(start);
      const from = this.#next;
      this.#next = from + length;
      return from;
    } else this.#fail(`a field has the impossible wire type ${wireType}`);
    return start;
  }

  /** Reads a varint; what lies above 2^53 loses its low digits, which no tag and no length may reach. */
  #unsigned(start: number): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let index = 0; index < 10; index++) {
      const byte = bytes[start + index];
      if (byte === undefined) return this.#fail("a number is cut short");
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) {
        this.#next = start + index + 1;
        return value;
      }
    }
    return this.#fail("a number is too long");
  }

  /** Reads a varint whole, as a signed 64-bit number. */
  #signed(start: number): bigint {
    const small = this.#unsigned(start);
    if (small <= Number.MAX_SAFE_INTEGER) return BigInt(small);
    let value = 0n;
    for (let index = start; index < this.#next; index++) {
      value |= BigInt((this.#bytes[index] ?? 0) & 0x7f) << BigInt(7 * (index - start));
    }
    return BigInt.asIntN(64, value);
  }

  #fail(reason: string): never {
    throw new GraftError("model-invalid", `the bytes are no TensorFlow message: ${reason}`, {
      path: [this.name],
      hint: "the file is damaged, cut short, or of another kind",
    });
  }
}
