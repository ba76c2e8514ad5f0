/** @file HDF5: the attributes of an object: texts and lists of texts (specification IV.A.2.m and w). */
import { GraftError } from "../../tensor/index.ts";
import { type Message, messageTypes } from "./hdf5-header.ts";
import { fractalHeapAt, objectInGlobalHeap, recordsOfTree } from "./hdf5-heaps.ts";
import { damaged, decoder, type Source } from "./hdf5-source.ts";
import { countOf, type Hdf5Type, shapeAt, typeAt } from "./hdf5-types.ts";

/** No list of Keras's is longer: it would be split into several attributes. */
const mostTexts = 2 ** 16;

/** Where an attribute's parts lie. */
interface Attribute {
  readonly typeAt: number;
  readonly shapeAt: number;
  readonly dataAt: number;
}

/** The attributes of one object, by name: found, and read when asked for. */
export class Attributes {
  readonly #source: Source;
  readonly #found = new Map<string, Attribute>();

  constructor(source: Source, messages: readonly Message[]) {
    this.#source = source;
    for (const { type, at } of messages) {
      if (type === messageTypes.attribute) this.#add(at);
      else if (type === messageTypes.attributeInfo) this.#addDense(at);
    }
  }

  has(name: string): boolean {
    return this.#found.has(name);
  }

  /** A text; `undefined` where there is none. Throws GraftError `model-invalid` where it is something else. */
  text(name: string): string | undefined {
    const texts = this.#texts(name, 1);
    if (texts !== undefined && texts.length !== 1) throw notTexts(name, "a text");
    return texts?.[0];
  }

  /** A list of texts; long lists lie in several attributes, numbered from 0. `undefined` where there is none. */
  texts(name: string): readonly string[] | undefined {
    const whole = this.#texts(name, mostTexts);
    if (whole !== undefined) return whole;
    const parts: (readonly string[])[] = [];
    for (let part = this.#texts(`${name}0`, mostTexts); part !== undefined; ) {
      parts.push(part);
      part = this.#texts(`${name}${parts.length}`, mostTexts);
    }
    return parts.length === 0 ? undefined : parts.flat();
  }

  #texts(name: string, most: number): readonly string[] | undefined {
    const attribute = this.#found.get(name);
    if (attribute === undefined) return undefined;
    const source = this.#source;
    const shape = shapeAt(source, attribute.shapeAt);
    const count = shape === undefined ? 0 : countOf(shape);
    // An empty list is written with NumPy's default type, which is no text.
    if (count === 0) return [];
    const type = typeAt(source, attribute.typeAt);
    if ((type.kind !== "text" && type.kind !== "long text") || !(count <= most))
      throw notTexts(name, "a list of names");
    source.visit(count);
    return Array.from({ length: count }, (_, index) => textAt(source, type, attribute.dataAt + index * type.size));
  }

  /** An attribute message, of versions 1 to 3. */
  #add(at: number): void {
    const source = this.#source;
    source.visit();
    const version = source.expectVersion(at, [1, 2, 3], "an attribute");
    const padded = (size: number) => (version === 1 ? Math.ceil(size / 8) * 8 : size);
    const [nameSize, typeSize, shapeSize] = [source.u16(at + 2), source.u16(at + 4), source.u16(at + 6)];
    const nameAt = at + (version === 3 ? 9 : 8);
    const type = nameAt + padded(nameSize);
    const shape = type + padded(typeSize);
    const name = source.text(nameAt, nameSize);
    if (this.#found.has(name)) throw damaged("names that differ", JSON.stringify(name));
    this.#found.set(name, { typeAt: type, shapeAt: shape, dataAt: shape + padded(shapeSize) });
  }

  /** Many attributes of newer files: a tree of where they lie in a heap. */
  #addDense(at: number): void {
    const source = this.#source;
    source.expectVersion(at, [0], "the list of attributes");
    const first = at + (source.u8(at + 1) & 1 ? 4 : 2);
    const [heap, tree] = [source.address(first), source.address(first + 8)];
    if (heap === undefined || tree === undefined) return;
    const placeOf = fractalHeapAt(source, heap);
    for (const record of recordsOfTree(source, tree)) this.#add(placeOf(record));
  }
}

function textAt(source: Source, type: Hdf5Type, at: number): string {
  if (type.kind === "text") return source.text(at, type.size);
  const length = source.u32(at);
  if (length === 0) return "";
  const bytes = objectInGlobalHeap(source, source.u64(at + 4), source.u32(at + 12));
  if (length > bytes.length) throw damaged("a text within its heap");
  return decoder.decode(bytes.subarray(0, length));
}

function notTexts(name: string, expected: string): GraftError {
  return new GraftError("model-invalid", `the attribute "${name}" cannot be read`, { expected });
}
