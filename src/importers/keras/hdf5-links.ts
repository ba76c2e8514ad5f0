/** @file HDF5: what lies in a group, in the three ways that files keep it (specification III.A to C, IV.A.2.c, g and r). */

import { type Message, messageTypes } from "./hdf5-header.ts";
import { fractalHeapAt, nameInHeap, recordsOfTree } from "./hdf5-heaps.ts";
import { damaged, refused, type Source } from "./hdf5-source.ts";

/** Where a name leads: to an object of this file, or by a link that is not followed. */
export type Link =
  | { readonly kind: "object"; readonly at: number }
  | { readonly kind: "soft link" | "external link"; readonly target: string };

/** The links of a group by name, in the file's order. */
export function linksOf(source: Source, messages: readonly Message[]): ReadonlyMap<string, Link> {
  const links = new Map<string, Link>();
  const add = (name: string, link: Link): void => {
    if (links.has(name)) throw damaged("names that differ", JSON.stringify(name));
    links.set(name, link);
  };
  for (const { type, at } of messages) {
    if (type === messageTypes.symbolTable) addTable(source, source.u64(at), source.u64(at + 8), add);
    else if (type === messageTypes.link) addLink(source, at, add);
    else if (type === messageTypes.linkInfo) addDense(source, at, add);
  }
  return links;
}

type Add = (name: string, link: Link) => void;

/** A tree of version 1 over tables of symbols, whose names lie in a heap. */
function addTable(source: Source, tree: number, heap: number, add: Add): void {
  const visit = (node: number, expectedLevel: number | undefined): void => {
    source.expectSignature(node, "TREE");
    const [type, level, entries] = [source.u8(node + 4), source.u8(node + 5), source.u16(node + 6)];
    if (type !== 0 || level > 16 || (expectedLevel ?? level) !== level) throw damaged("a tree of groups");
    for (let index = 0; index < entries; index++) {
      const child = source.u64(node + 32 + 16 * index);
      if (level === 0) addSymbols(source, child, heap, add);
      else visit(child, level - 1);
    }
  };
  visit(tree, undefined);
}

function addSymbols(source: Source, table: number, heap: number, add: Add): void {
  source.expectSignature(table, "SNOD");
  const count = source.u16(table + 6);
  source.visit(count);
  for (let entry = table + 8; entry < table + 8 + 40 * count; entry += 40) {
    const name = nameInHeap(source, heap, source.u64(entry));
    const isSoft = source.u32(entry + 16) === 2;
    add(
      name,
      isSoft
        ? { kind: "soft link", target: nameInHeap(source, heap, source.u32(entry + 24)) }
        : { kind: "object", at: source.u64(entry + 8) },
    );
  }
}

/** A link message; links in heaps are of the same form. */
function addLink(source: Source, at: number, add: Add): void {
  source.visit();
  source.expectVersion(at, [1], "a link");
  const flags = source.u8(at + 1);
  let place = at + 2;
  const type = flags & 8 ? source.u8(place++) : 0;
  if (flags & 4) place += 8;
  if (flags & 16) place += 1;
  const width = 1 << (flags & 3);
  const length = source.unsigned(place, width);
  const name = source.text(place + width, length);
  const value = place + width + length;
  if (type === 0) add(name, { kind: "object", at: source.u64(value) });
  else if (type === 1) add(name, { kind: "soft link", target: source.text(value + 2, source.u16(value)) });
  else if (type === 64)
    add(name, { kind: "external link", target: source.text(value + 3, Math.max(source.u16(value) - 1, 0)) });
  else throw refused(`the HDF5 file has a link of type ${type}`);
}

/** Many links of newer files: a tree of where they lie in a heap. */
function addDense(source: Source, at: number, add: Add): void {
  source.expectVersion(at, [0], "a group");
  const first = at + (source.u8(at + 1) & 1 ? 10 : 2);
  const [heap, tree] = [source.address(first), source.address(first + 8)];
  if (heap === undefined || tree === undefined) return;
  const placeOf = fractalHeapAt(source, heap);
  // A record is the hash of the name, then the identifier in the heap.
  for (const record of recordsOfTree(source, tree)) addLink(source, placeOf(record + 4), add);
}
