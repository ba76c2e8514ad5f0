/** @file Damage that keeps protobuf's framing whole, so that it reaches what lies behind it. */

/** A field: its number, its wire type, and a number, its bytes, or the fields inside it. */
interface Field {
  number: number;
  wireType: number;
  value: bigint | Uint8Array | Field[];
}

const deepest = 24;

/** The fields of a message, guessed without a schema; `undefined` when the bytes are none. */
function parse(bytes: Uint8Array, depth = 0): Field[] | undefined {
  const fields: Field[] = [];
  let position = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[position++];
      if (byte === undefined) return undefined;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return undefined;
  };
  while (position < bytes.length) {
    const tag = varint();
    if (tag === undefined || tag < 8n || tag >= 1n << 16n) return undefined;
    const [number, wireType] = [Number(tag >> 3n), Number(tag & 7n)];
    if (wireType === 0) {
      const value = varint();
      if (value === undefined) return undefined;
      fields.push({ number, wireType, value });
      continue;
    }
    const length = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? Number(varint() ?? -1n) : -1;
    if (length < 0 || length > bytes.length - position) return undefined;
    const content = bytes.subarray(position, position + length);
    position += length;
    const inner = wireType === 2 && length > 1 && depth < deepest ? parse(content, depth + 1) : undefined;
    fields.push({ number, wireType, value: inner ?? content });
  }
  return fields;
}

function write(fields: readonly Field[]): number[] {
  const bytes: number[] = [];
  const varint = (value: bigint) => {
    let rest = BigInt.asUintN(64, value);
    for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
    bytes.push(Number(rest));
  };
  for (const { number, wireType, value } of fields) {
    varint(BigInt(number * 8 + wireType));
    if (typeof value === "bigint") {
      varint(value);
      continue;
    }
    const content = value instanceof Uint8Array ? value : write(value);
    if (wireType === 2) varint(BigInt(content.length));
    for (const byte of content) bytes.push(byte);
  }
  return bytes;
}

/** Numbers at the ends of what sizes, axes, types and versions can be. */
const numbers = [
  0n,
  1n,
  2n,
  7n,
  13n,
  27n,
  255n,
  1n << 31n,
  1n << 40n,
  1n << 53n,
  (1n << 63n) - 1n,
  -1n,
  -2n,
  -(1n << 63n),
];

/** The file with one field changed, removed, repeated, moved, or exchanged for one of the other file's. */
export function mutateField(bytes: Uint8Array, below: (count: number) => number, other: Uint8Array): Uint8Array {
  const root = parse(bytes);
  const donor = parse(other);
  if (root === undefined || donor === undefined) return bytes;
  const lists = listsIn(root);
  const list = lists[below(lists.length)] ?? root;
  const at = below(list.length);
  const field = list[at];
  if (field === undefined) return bytes;
  const donors = listsIn(donor)
    .flat()
    .filter(({ number, wireType }) => number === field.number && wireType === field.wireType);
  const choice = below(7);
  if (choice === 0) list.splice(at, 1);
  else if (choice === 1) list.splice(below(list.length), 0, field);
  else if (choice === 2) list.splice(below(list.length), 0, ...list.splice(at, 1));
  else if (choice === 3 && donors.length > 0) list[at] = donors[below(donors.length)] ?? field;
  else if (choice === 4 && donors.length > 0) list.splice(at, 0, donors[below(donors.length)] ?? field);
  else if (typeof field.value === "bigint") field.value = numbers[below(numbers.length)] ?? 0n;
  else if (field.value instanceof Uint8Array) field.value = damage(field, below, donors);
  return Uint8Array.from(write(root));
}

function damage({ value, wireType }: Field, below: (count: number) => number, donors: readonly Field[]): Uint8Array {
  const content = (value instanceof Uint8Array ? value : new Uint8Array(0)).slice();
  if (wireType === 2 && below(3) === 0) return content.slice(0, below(content.length));
  const donor = donors[below(donors.length)]?.value;
  if (below(2) === 0 && donor instanceof Uint8Array) return donor;
  // Names stay text: other bytes are refused at once.
  if (content.length > 0) content[below(content.length)] = below(128);
  return content;
}

function listsIn(fields: Field[]): Field[][] {
  return [fields, ...fields.flatMap(({ value }) => (Array.isArray(value) ? listsIn(value) : []))];
}
