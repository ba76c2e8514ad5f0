/** @file What a file holds, by its first bytes: never by its name. */

/** The kinds of pictures that are read. */
export type PictureFormat = "jpeg" | "png" | "webp" | "gif" | "tiff";

/** What the bytes are: a picture that can be read, or what to call it where it cannot. */
export type Recognized = { readonly format: PictureFormat } | { readonly instead: string };

type Signature = readonly [at: number, bytes: string, what: Recognized];

const signatures: readonly Signature[] = [
  [0, "\xff\xd8\xff", { format: "jpeg" }],
  [0, "\x89PNG\r\n\x1a\n", { format: "png" }],
  [0, "GIF87a", { format: "gif" }],
  [0, "GIF89a", { format: "gif" }],
  [8, "WEBP", { format: "webp" }],
  [0, "II*\0", { format: "tiff" }],
  [0, "MM\0*", { format: "tiff" }],
  [0, "II+\0", { format: "tiff" }],
  [0, "MM\0+", { format: "tiff" }],
  [4, "ftypheic", { instead: "a HEIC photo" }],
  [4, "ftypheix", { instead: "a HEIC photo" }],
  [4, "ftypmif1", { instead: "a HEIF photo" }],
  [4, "ftypavif", { instead: "an AVIF picture" }],
  [4, "ftyp", { instead: "a video" }],
  [0, "BM", { instead: "a BMP picture" }],
  [0, "\0\0\x01\0", { instead: "an icon" }],
  [0, "8BPS", { instead: "a Photoshop document" }],
  [0, "%PDF", { instead: "a PDF document" }],
  [0, "PK\x03\x04", { instead: "a zip archive" }],
  [0, "\x1f\x8b", { instead: "a gzip archive" }],
  [0, "RIFF", { instead: "a sound or a video" }],
  [0, "ID3", { instead: "a sound" }],
  [0, "\x7fELF", { instead: "a program" }],
];

const markup: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!doctype svg[^>]*>\s*)?<svg/is, "an SVG drawing"],
  [/^(<!--.*?-->\s*)*<(!doctype html|html|head|body)/is, "an HTML page"],
  [/^<\?xml/i, "an XML document"],
  [/^[[{]/, "JSON text"],
];

/** What a file is that begins with `bytes`; a few hundred of them are enough. */
export function recognize(bytes: Uint8Array): Recognized {
  const start = String.fromCharCode(...bytes.subarray(0, 512));
  const found = signatures.find(([at, signature]) => start.startsWith(signature, at));
  if (found !== undefined) return found[2];
  const text = start.replace(/^\xef\xbb\xbf/, "").trimStart();
  const written = markup.find(([pattern]) => pattern.test(text));
  if (written !== undefined) return { instead: written[1] };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what text does not have is what is looked for.
  return { instead: /[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? "bytes of an unknown kind" : "text" };
}
