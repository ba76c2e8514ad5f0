/** @file Lists of names in HDF5 attributes, checked before jsfive reads them: files are strangers. */
import type { HeaderMessages } from "jsfive";
import { GraftError } from "../../tensor/index.ts";

/** No list of Keras's is longer: it would be split into several attributes. */
const mostNames = 2 ** 16;
const attributeMessage = 0x0c;
const classes = { string: 3, variableLength: 9 } as const;

interface AttributeHeader {
  /** Where the message lies. */
  readonly offset: number;
  readonly datatypeClass: number;
  /** Whether a value of variable length is a string. */
  readonly isText: boolean;
  /** How many bytes one element takes. */
  readonly elementSize: number;
  readonly elements: number;
}

/** The attributes of one object, by name: found, not yet read. */
export class Attributes {
  readonly #messages: HeaderMessages;
  readonly #headers: ReadonlyMap<string, AttributeHeader>;

  constructor(bytes: ArrayBuffer, messages: HeaderMessages) {
    this.#messages = messages;
    this.#headers = new Map(
      messages.msgs.flatMap((message) => {
        const offset = message.get("offset_to_message");
        return message.get("type") === attributeMessage && offset !== undefined ? [headerAt(bytes, offset)] : [];
      }),
    );
  }

  has(name: string): boolean {
    return this.#headers.has(name) || this.#headers.has(`${name}0`);
  }

  /** A list of names; long lists lie in several attributes, numbered from 0. `undefined` where there is none. */
  names(name: string): readonly string[] | undefined {
    const whole = this.#texts(name);
    if (whole !== undefined) return whole;
    const parts: (readonly string[])[] = [];
    for (let part = this.#texts(`${name}0`); part !== undefined; part = this.#texts(`${name}${parts.length}`)) {
      parts.push(part);
    }
    return parts.length === 0 ? undefined : parts.flat();
  }

  #texts(name: string): readonly string[] | undefined {
    const header = this.#headers.get(name);
    if (header === undefined) return undefined;
    const { offset, datatypeClass, isText, elementSize, elements } = header;
    // An empty list is written with NumPy's default type, which is no text.
    if (elements === 0) return [];
    const isString = datatypeClass === classes.string || (datatypeClass === classes.variableLength && isText);
    if (!isString || elementSize === 0 || elements > mostNames) {
      throw new GraftError("model-invalid", `the attribute "${name}" is no list of names`);
    }
    const [, value] = this.#messages.unpack_attribute(offset);
    const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
    return texts.map((text) => withoutPadding(String(text)));
  }
}

/** Strings of fixed length are filled up with NUL. */
function withoutPadding(text: string): string {
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

/** The head of an attribute message, versions 1 and 3 (HDF5 specification IV.A.2.m). */
function headerAt(bytes: ArrayBuffer, offset: number): readonly [name: string, header: AttributeHeader] {
  const view = new DataView(bytes);
  const version = view.getUint8(offset);
  if (version !== 1 && version !== 3) {
    throw new GraftError("model-invalid", "an attribute has an unknown form", { actual: `version ${version}` });
  }
  const padded = (size: number) => (version === 1 ? Math.ceil(size / 8) * 8 : size);
  const nameSize = view.getUint16(offset + 2, true);
  const nameAt = offset + (version === 1 ? 8 : 9);
  const datatypeAt = nameAt + padded(nameSize);
  const dataspaceAt = datatypeAt + padded(view.getUint16(offset + 4, true));
  const name = withoutPadding(new TextDecoder().decode(new Uint8Array(bytes, nameAt, nameSize)));
  return [
    name,
    {
      offset,
      datatypeClass: view.getUint8(datatypeAt) & 0x0f,
      isText: (view.getUint8(datatypeAt + 1) & 0x0f) === 1,
      elementSize: view.getUint32(datatypeAt + 4, true),
      elements: elementsAt(view, dataspaceAt),
    },
  ];
}

/** The number of elements of a dataspace, versions 1 and 2. */
function elementsAt(view: DataView, offset: number): number {
  const rank = view.getUint8(offset + 1);
  const sizesAt = offset + (view.getUint8(offset) === 1 ? 8 : 4);
  let elements = 1;
  for (let axis = 0; axis < rank; axis++) elements *= Number(view.getBigUint64(sizesAt + 8 * axis, true));
  return elements;
}
