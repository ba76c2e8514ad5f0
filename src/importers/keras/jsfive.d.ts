/** @file What this room uses of jsfive, which comes without types. It throws strings and errors of all kinds. */
declare module "jsfive" {
  /** What an object's header holds; `get("type")` is the kind of message (HDF5 specification IV.A.2). */
  export interface HeaderMessages {
    readonly msgs: readonly ReadonlyMap<string, number>[];
    /** The attribute in the message at this offset: its name and its value. */
    unpack_attribute(offset: number): readonly [name: string, value: unknown];
    readonly chunks: readonly number[] | null;
  }

  export class Group {
    readonly name: string;
    /** Names of what lies in it, as own properties. */
    readonly _links: Readonly<Record<string, unknown>>;
    readonly _dataobjects: HeaderMessages;
    /** A group or a dataset by its path. */
    get(path: string): Group | Dataset | null;
  }

  export class File extends Group {
    constructor(bytes: ArrayBuffer, filename?: string);
  }

  export class Dataset {
    readonly shape: readonly number[];
    /** NumPy's name of the type, such as `<f4`; an array for what is no plain number. */
    readonly dtype: unknown;
    readonly value: unknown;
    readonly _dataobjects: HeaderMessages;
  }
}
