/** @file Digests: what bytes are called by their content. */

/** SHA-256 (FIPS 180-4), as 64 hexadecimal digits. In browsers it needs a secure context. */
export async function sha256(content: Uint8Array | string): Promise<string> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  // A view on shared memory is not taken by Web Crypto: copy it.
  const owned = bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", owned));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
