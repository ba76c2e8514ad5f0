/** @file Seeded damage to files: what storage, networks and attackers do to them. */
import { mutateField } from "./structure.ts";

type Mutation = (bytes: Uint8Array, below: (count: number) => number, other: Uint8Array) => Uint8Array;

function splice(bytes: Uint8Array, start: number, removed: number, inserted: Uint8Array): Uint8Array {
  const result = new Uint8Array(bytes.length - removed + inserted.length);
  result.set(bytes.subarray(0, start));
  result.set(inserted, start);
  result.set(bytes.subarray(start + removed), start + inserted.length);
  return result;
}

/** Numbers that break length fields and loops: zero, one, the ends of their kinds, and too many bytes. */
const hostile: readonly (readonly number[])[] = [
  [0x00],
  [0x01],
  [0x7f],
  [0xff, 0xff, 0xff, 0xff, 0x07],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
];

const mutations: readonly Mutation[] = [
  // One bit turns over.
  (bytes, below) => {
    const result = bytes.slice();
    const at = below(result.length);
    result[at] = (result[at] ?? 0) ^ (1 << below(8));
    return result;
  },
  // A byte becomes another.
  (bytes, below) => {
    const result = bytes.slice();
    result[below(result.length)] = below(256);
    return result;
  },
  // Bytes come in.
  (bytes, below) => {
    const inserted = Uint8Array.from({ length: 1 + below(8) }, () => below(256));
    return splice(bytes, below(bytes.length + 1), 0, inserted);
  },
  // Bytes go missing.
  (bytes, below) => {
    const start = below(bytes.length);
    return splice(bytes, start, Math.min(1 + below(16), bytes.length - start), new Uint8Array(0));
  },
  // The file is cut short.
  (bytes, below) => bytes.slice(0, below(bytes.length)),
  // A number, or what may be one, becomes an impossible one.
  (bytes, below) => splice(bytes, below(bytes.length), 1, Uint8Array.from(hostile[below(hostile.length)] ?? [])),
  // A piece of the file is repeated.
  (bytes, below) => {
    const start = below(bytes.length);
    const piece = bytes.subarray(start, start + 1 + below(64));
    return splice(bytes, below(bytes.length + 1), 0, piece);
  },
  // Two files are joined where neither ends.
  (bytes, below, other) => {
    const at = below(bytes.length);
    return splice(bytes, at, Math.min(below(32), bytes.length - at), other.subarray(below(other.length)));
  },
];

/** One to four mutations of `bytes`, told by `next`; half of the files keep their framing. `other` lends pieces. */
export function mutate(bytes: Uint8Array, other: Uint8Array, next: () => number): Uint8Array {
  const below = (count: number) => Math.floor(next() * Math.max(count, 1));
  const keepsFraming = below(2) === 0;
  let result = bytes;
  for (let count = 1 + below(4); count > 0 && result.length > 0; count--) {
    const mutation = keepsFraming ? mutateField : mutations[below(mutations.length)];
    if (mutation !== undefined) result = mutation(result, below, other);
  }
  return result;
}
