import { describe, expect, it } from "vitest";
import { recognize } from "./recognize.ts";

function recognized(text: string): string {
  const found = recognize(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  return "format" in found ? found.format : found.instead;
}

describe("recognize", () => {
  it.each([
    ["\xff\xd8\xff\xe0", "jpeg"],
    ["\x89PNG\r\n\x1a\n", "png"],
    ["RIFF\x10\0\0\0WEBPVP8 ", "webp"],
    ["RIFF\x10\0\0\0WAVE", "a sound or a video"],
    ["\0\0\0\x18ftypheic", "a HEIC photo"],
    ["\0\0\0\x18ftypavif", "an AVIF picture"],
    ["\0\0\0\x18ftypisom", "a video"],
    ["<?xml version='1.0'?>\n<svg xmlns=''>", "an SVG drawing"],
    ["  <!DOCTYPE html><html>", "an HTML page"],
    ["\xef\xbb\xbf<html>", "an HTML page"],
    ["%PDF-1.7", "a PDF document"],
    ["PK\x03\x04", "a zip archive"],
    ['{"a": 1}', "JSON text"],
    ["hello", "text"],
    ["\x01\x02\x03\x04", "bytes of an unknown kind"],
  ])("calls %j %s", (start, name) => {
    expect(recognized(start)).toBe(name);
  });
});
