import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { groupPattern, keysOf } from "./group.ts";

describe("groupPattern", () => {
  it("takes what parentheses capture, or the whole match", () => {
    expect(groupPattern("([^/]+)_[0-9]+\\.jpg$")("cats/tom_12.jpg")).toBe("tom");
    expect(groupPattern("tom|rex")("cats/tom_12.jpg")).toBe("tom");
    expect(groupPattern(/REX/i)("dogs/rex_1.jpg")).toBe("rex");
    expect(groupPattern(/(a+)\/(b+)/)("aa/bb")).toBe("aa\0bb");
  });

  it("gives no group to a path it does not match", () => {
    expect(groupPattern("([^/]+)_[0-9]+")("cats/tom.jpg")).toBeUndefined();
    expect(groupPattern("(x)?tom")("cats/tom.jpg")).toBeUndefined();
  });

  it("does not remember the path before, whatever its flags", () => {
    const groupOf = groupPattern(/tom/gy);
    expect([groupOf("tom"), groupOf("tom"), groupOf("tom")]).toEqual(["tom", "tom", "tom"]);
  });

  it("reads wildcards: the group is everything before the last star, or what parentheses capture", () => {
    expect(groupPattern("*/*_*")("cats/tom_12.jpg")).toBe("cats/tom_");
    expect(groupPattern("*/*/*")("cats/tom/12.jpg")).toBe("cats/tom/");
    expect(groupPattern("**/(*)_??.jpg")("train/cats/tom_12.jpg")).toBe("tom");
    expect(groupPattern("*/(*)_*")("cats/tom_12.jpg")).toBe("tom");
    expect(groupPattern("*/*_*")("cats/tom.jpg")).toBeUndefined();
  });

  it("refuses a pattern that is neither", () => {
    expect(() => groupPattern("([a-z")).toThrow(/no regular expression/);
    expect(() => groupPattern("*/(*")).toThrow(/parenthesis/);
  });
});

describe("keysOf", () => {
  const photo = (digest: string, group?: string) => ({ digest, group });

  it("gives each photo its digest where there are no groups", () => {
    expect(keysOf([photo("a"), photo("b"), photo("a")], 0)).toEqual(["a", "b", "a"]);
  });

  it("joins groups that share a picture", () => {
    const keys = keysOf([photo("a", "tom"), photo("b", "tom"), photo("b", "rex"), photo("c", "rex"), photo("d")], 0);
    expect(new Set(keys.slice(0, 4)).size).toBe(1);
    expect(keys[4]).toBe("d");
  });

  it("gives the same keys in any order", () => {
    const photos = Array.from({ length: 12 }, (_, at) =>
      photo(`digest ${at % 7}`, at % 3 === 0 ? `g${at % 2}` : undefined),
    );
    const keys = new Map(keysOf(photos, 5).map((key, at) => [photos[at], key]));
    fc.assert(
      fc.property(fc.shuffledSubarray(photos, { minLength: photos.length }), (shuffled) => {
        expect(keysOf(shuffled, 5)).toEqual(shuffled.map((one) => keys.get(one)));
      }),
      { endOnFailure: true },
    );
  });

  it("takes group names that look like digests or like properties for groups", () => {
    const keys = keysOf([photo("a", "__proto__"), photo("b", "constructor"), photo("c", "a")], 0);
    expect(new Set(keys).size).toBe(3);
  });
});
