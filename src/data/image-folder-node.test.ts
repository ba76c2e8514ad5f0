import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { randomNumbers, sha256 } from "../tensor/index.ts";
import { type ImageFolderOptions, imageFolder } from "./image-folder-node.ts";
import { labelledFolder } from "./labelled-folder-node.ts";
import type { PhotoFolder } from "./photo-folder.ts";
import { photosOf } from "./photo-list-node.ts";

const recipe = { height: 8, width: 8, method: "bilinear", aspect: "stretch" } as const;
const parts = ["train", "validation", "test"] as const;

/** Twenty-four different pictures. */
let pictures: Buffer[] = [];
let folder = "";
const opened: { close(): Promise<void> }[] = [];

beforeAll(async () => {
  const random = randomNumbers(1);
  pictures = await Promise.all(
    Array.from({ length: 24 }, () => {
      const data = Uint8Array.from({ length: 24 * 16 * 3 }, () => random() * 256);
      return sharp(data, { raw: { width: 24, height: 16, channels: 3 } })
        .jpeg()
        .toBuffer();
    }),
  );
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "photos "));
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
  rmSync(folder, { recursive: true, force: true });
});

/** Writes files below the folder: picture number n, or any bytes. */
function write(files: Readonly<Record<string, number | string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof content === "number" ? (pictures[content] ?? "") : content);
  }
}

/** `count` pictures a class, all different. */
function writeClasses(names: readonly string[], count: number): void {
  for (const [at, name] of names.entries()) {
    for (let index = 0; index < count; index++) write({ [`${name}/${index}.jpg`]: at * count + index });
  }
}

async function open(options: ImageFolderOptions = {}): Promise<PhotoFolder> {
  const photos = await imageFolder(folder, { threads: 1, ...options });
  opened.push(photos);
  return photos;
}

function partOf(photos: PhotoFolder): Map<string, string> {
  return new Map(parts.flatMap((part) => photos[part].names.map((name) => [name, part] as const)));
}

describe("imageFolder", () => {
  it("reads class folders with awkward names, sorted by code point, and every photo once", async () => {
    const names = ["__proto__", "constructor", 'it\'s "so" , odd', "\u{1f408} cat", "\uff21"];
    writeClasses(names, 4);
    const photos = await open();
    // UTF-16's own order would put the emoji before the wide letter.
    expect(photos.classNames).toEqual(["__proto__", "constructor", 'it\'s "so" , odd', "\uff21", "\u{1f408} cat"]);
    expect(partOf(photos).size).toBe(20);
    for (const part of parts) {
      const { names, labels, digests } = photos[part];
      expect(labels.map((label) => photos.classNames[label])).toEqual(names.map((name) => name.split("/")[0]));
      expect(photos.counts[part]).toEqual(
        photos.classNames.map((_, at) => labels.filter((label) => label === at).length),
      );
      expect(Math.min(...photos.counts[part])).toBeGreaterThanOrEqual(1);
      expect(digests.every((digest) => /^[0-9a-f]{64}$/.test(digest))).toBe(true);
    }
    expect(photos.layout).toBe("a folder a class; split by content: 15 % to choose by, 15 % held back");
    expect([photos.skipped, photos.remarks]).toEqual([[], []]);
  });

  it("reads pixels in the order of the views, the same on one thread and on four", async () => {
    writeClasses(["a", "b"], 6);
    const views = [3, 0, 5, 3, 1].map((index) => ({ index }));
    const changed = views.map((view) => ({
      ...view,
      seed: 9,
      augmentation: [{ kind: "randomBrightness", factor: 0.3 }] as const,
    }));
    const [one, four] = [
      await open({ testFraction: 0, validationFraction: 0 }),
      await open({ testFraction: 0, validationFraction: 0, threads: 4 }),
    ];
    const pixels = await one.train.read(views, recipe);
    expect(pixels.length).toBe(5 * 8 * 8 * 3);
    const single = await one.train.read([{ index: 5 }], recipe);
    expect(Buffer.compare(pixels.subarray(2 * 192, 3 * 192), single)).toBe(0);
    expect(Buffer.compare(pixels, await four.train.read(views, recipe))).toBe(0);
    const bright = await one.train.read(changed, recipe);
    expect(Buffer.compare(bright, pixels)).not.toBe(0);
    expect(Buffer.compare(bright, await four.train.read(changed, recipe))).toBe(0);
    expect(one.train.digests[0]).toBe(await sha256(pictures[0] ?? new Uint8Array()));
  });

  it("names and skips what is broken, empty or no picture, and stops at it when strict", async () => {
    writeClasses(["a", "b"], 4);
    const [whole = Buffer.alloc(0)] = pictures;
    write({
      "a/cut.jpg": whole.subarray(0, whole.length - 100),
      "a/empty.jpg": "",
      "b/page.jpg": "<!doctype html><html></html>",
      "b/notes.txt": "remember the milk",
      "a/.hidden.jpg": 1,
      "a/Thumbs.db": "x",
      "__MACOSX/a/1.jpg": 1,
      "README.md": "x",
      "renamed.png": 1,
    });
    write({ "b/really-a-jpeg.png": 20 });
    const photos = await open();
    expect(photos.skipped).toEqual([
      { file: "a/cut.jpg", reason: "damaged or cut off" },
      { file: "a/empty.jpg", reason: "the file is empty" },
      { file: "b/notes.txt", reason: "not a picture that can be read, but text" },
      { file: "b/page.jpg", reason: "not a picture that can be read, but an HTML page" },
      { file: "renamed.png", reason: "not in a class folder" },
    ]);
    expect(partOf(photos).size).toBe(9);
    await expect(open({ strict: true })).rejects.toThrow(
      /a\/cut.jpg: damaged or cut off.*4 more files would be skipped/,
    );
  });

  it("moves no photo when some are added", async () => {
    writeClasses(["a", "b"], 10);
    const before = partOf(await open({ seed: 3 }));
    write({ "a/more.jpg": 20, "b/0 more.jpg": 21, "c/1.jpg": 22, "c/2.jpg": 23 });
    const after = partOf(await open({ seed: 3 }));
    for (const [name, part] of before) expect([name, after.get(name)]).toEqual([name, part]);
  });

  it("keeps copies on one side, and leaves out pictures under two labels", async () => {
    writeClasses(["a", "b"], 8);
    write({ "a/copy 1.jpg": 0, "a/copy 2.jpg": 0, "a/copy 3.jpg": 0, "a/both.jpg": 20, "b/both.jpg": 20 });
    for (const seed of [1, 2]) {
      const photos = await open({ seed });
      const sides = ["a/0.jpg", "a/copy 1.jpg", "a/copy 2.jpg", "a/copy 3.jpg"].map((name) => partOf(photos).get(name));
      expect(new Set(sides).size).toBe(1);
      expect(photos.skipped).toEqual([
        { file: "a/both.jpg", reason: 'the same picture as "b/both.jpg" of class "b": its class is unclear' },
        { file: "b/both.jpg", reason: 'the same picture as "a/both.jpg" of class "a": its class is unclear' },
      ]);
      expect(photos.remarks).toEqual([
        "3 photos are an exact copy of another in its class; copies stay on one side of every split",
      ]);
    }
  });

  it("keeps groups on one side, by pattern or by the table", async () => {
    for (let index = 0; index < 12; index++) {
      write({
        [`a/${Math.floor(index / 3)}_${index}.jpg`]: index,
        [`b/${Math.floor(index / 3)}_${index}.jpg`]: 12 + index,
      });
    }
    const together = (photos: PhotoFolder) => {
      const sides = new Map<string, Set<string>>();
      for (const [name, part] of partOf(photos)) {
        const group = name.replace(/_.*/, "");
        sides.set(group, (sides.get(group) ?? new Set()).add(part));
      }
      return [...sides.values()].every((side) => side.size === 1);
    };
    const files = ["a", "b"].flatMap((name) => readdirSync(join(folder, name)).map((file) => `${name}/${file}`));
    for (const seed of [1, 2, 3]) expect(together(await open({ seed, group: "(.*)_" }))).toBe(true);
    expect(together(await open({ seed: 1 }))).toBe(false);
    await expect(open({ group: "xyz" })).rejects.toThrow(/matches no photo.*a\/0_0.jpg/);
    write({
      "metadata.csv": [
        "file_name,label,group",
        ...files.map((file) => `${file},${file[0]},${file.replace(/_.*/, "")}`),
      ].join("\n"),
    });
    const table = await open({ seed: 1 });
    expect(table.layout).toMatch(/^metadata.csv; /);
    expect(together(table)).toBe(true);
  });

  it("holds given validation photos back where there is no test folder, or keeps them when told", async () => {
    for (let index = 0; index < 6; index++) {
      write({ [`train/a/${index}.jpg`]: index, [`train/b/${index}.jpg`]: 6 + index });
    }
    write({ "validation/a/1.jpg": 12, "validation/b/2.jpg": 13 });
    const photos = await open();
    expect(photos.layout).toBe(
      "train/ and validation/ folders; the validation photos are held back for the final figure; split off the training photos: 15 % to choose by",
    );
    expect(photos.test.names).toEqual(["validation/a/1.jpg", "validation/b/2.jpg"]);
    expect(photos.validation.names.every((name) => name.startsWith("train/"))).toBe(true);
    expect(photos.validation.names.length).toBeGreaterThanOrEqual(2);
    const kept = await open({ keepValidation: true });
    expect([kept.validation.names, kept.test.names]).toEqual([["validation/a/1.jpg", "validation/b/2.jpg"], []]);
    expect(kept.layout).toBe("train/ and validation/ folders");
    const all = await open({ validationFraction: 0 });
    expect(all.counts).toEqual({ train: [6, 6], validation: [0, 0], test: [1, 1] });
  });

  it("takes what is also held back out of the training photos, and remarks torn groups", async () => {
    write({ "train/a/x_1.jpg": 0, "train/a/y_1.jpg": 1, "train/b/z_1.jpg": 2, "train/b/x_1 copy.jpg": 3 });
    write({ "val/a/x_2.jpg": 4, "val/b/copy.jpg": 2, "test/a/y copy.jpg": 1, "test/b/9.jpg": 5, "train/b/4.jpg": 6 });
    const photos = await open({ group: "([xyz])_" });
    expect(photos.skipped).toEqual([
      { file: "train/a/y_1.jpg", reason: 'the same picture as "test/a/y copy.jpg", which is kept apart from it' },
      { file: "train/b/z_1.jpg", reason: 'the same picture as "val/b/copy.jpg", which is kept apart from it' },
    ]);
    expect(photos.remarks[0]).toMatch(/1 group is in more than one of the folder's own parts \("x"\)/);
    expect(photos.counts).toEqual({ train: [1, 2], validation: [1, 1], test: [1, 1] });
  });

  it("follows links, but not in circles", async () => {
    writeClasses(["a", "b"], 4);
    write({ ".outside/1.jpg": 20 });
    symlinkSync(join(folder, ".outside/1.jpg"), join(folder, "a/link.jpg"));
    symlinkSync(folder, join(folder, "a/again"));
    symlinkSync("nowhere", join(folder, "b/broken.jpg"));
    const photos = await open();
    expect(partOf(photos).has("a/link.jpg")).toBe(true);
    expect(photos.skipped).toEqual([
      { file: "a/again", reason: "a link to a folder that is read already" },
      { file: "b/broken.jpg", reason: "cannot be read: no such file or folder" },
    ]);
  });

  it("says what is wrong with a folder that is not one of photos", async () => {
    const at = (name: string) => imageFolder(join(folder, name), { threads: 1 });
    write({
      "file.jpg": 0,
      "one/a/1.jpg": 0,
      "one/a/2.jpg": 1,
      "empty/a/1.jpg": 0,
      "bad/a/1.jpg": 0,
      "bad/b/1.jpg": "x",
    });
    write({
      "wrapped/photos/a/1.jpg": 0,
      "wrapped/photos/b/1.jpg": 1,
      "missing/train/a/1.jpg": 0,
      "missing/train/b/1.jpg": 1,
      "missing/test/c/1.jpg": 2,
    });
    mkdirSync(join(folder, "empty/b"));
    mkdirSync(join(folder, "nothing"));
    await expect(at("absent")).rejects.toThrow(/absent: the folder cannot be read.*no such file or folder/);
    await expect(at("file.jpg")).rejects.toThrow(/this is a file.*expected a folder/);
    await expect(at("nothing")).rejects.toThrow(/the folder is empty/);
    await expect(at("one")).rejects.toThrow(/only one class.*expected at least two.*found "a"/);
    await expect(at("wrapped")).rejects.toThrow(/only one class.*perhaps you meant the folder "photos" in it/);
    await expect(at("empty")).rejects.toThrow(/a class without photos to train on.*found "b": no file/);
    await expect(at("bad")).rejects.toThrow(/found "b": 1 file, none of which can be used: b\/1.jpg: not a picture/);
    await expect(at("missing")).rejects.toThrow(/found "c": 1 photo, none of them to train on/);
    await expect(open({ testFraction: 1 })).rejects.toThrow(/testFraction/);
  });

  it("says so when a photo changes after the folder was read", async () => {
    writeClasses(["a", "b"], 3);
    const photos = await open({ testFraction: 0, validationFraction: 0 });
    write({ "a/1.jpg": 20 });
    await expect(photos.train.read([{ index: 0 }, { index: 1 }], recipe)).rejects.toThrow(
      /a\/1.jpg: the file has changed/,
    );
    await photos.close();
    await expect(photos.train.read([{ index: 0 }], recipe)).rejects.toThrow(/closed/);
  });
});

describe("photos of several folders", () => {
  it("are read on when one of them is closed, and after all were", async () => {
    writeClasses(["a", "b"], 3);
    const [one, other] = [await open(), await open()];
    await one.close();
    await one.close();
    expect((await other.train.read([{ index: 0 }], recipe)).length).toBe(192);
    await other.close();
    const third = await open();
    expect((await third.train.read([{ index: 0 }], recipe)).length).toBe(192);
  });
});

describe("labelledFolder", () => {
  it("labels by the classifier's classes, and takes the photos held back", async () => {
    write({ "train/b/1.jpg": 0, "validation/a/1.jpg": 1, "test/b/1.jpg": 2, "test/b/2.jpg": 3, "test/a/3.jpg": "x" });
    const found = await labelledFolder(folder, ["c", "b", "a"], { threads: 1 });
    opened.push(found);
    expect([found.photos.names, found.photos.labels]).toEqual([
      ["test/b/1.jpg", "test/b/2.jpg"],
      [1, 1],
    ]);
    expect(found.photos.classNames).toEqual(["c", "b", "a"]);
    expect(found.layout).toBe("train/, validation/ and test/ folders; the test photos");
    expect(found.skipped.map(({ file }) => file)).toEqual(["test/a/3.jpg"]);
    const all = await labelledFolder(folder, ["c", "b", "a"], { threads: 1, part: "all" });
    opened.push(all);
    expect(all.photos.names).toHaveLength(4);
    expect((await all.photos.read([{ index: 0 }], recipe)).length).toBe(192);
  });

  it("takes one class alone, and says which classes are unknown", async () => {
    write({ "b/1.jpg": 0 });
    const found = await labelledFolder(folder, ["a", "b"], { threads: 1 });
    opened.push(found);
    expect([found.layout, found.photos.labels]).toEqual(["a folder a class", [1]]);
    await expect(labelledFolder(folder, ["x", "y"])).rejects.toThrow(/expected folders called "x", "y", found "b"/);
    await expect(labelledFolder(folder, ["a", "b"], { part: "test" })).rejects.toThrow(/no test photos/);
    write({ "b/1.jpg": "broken" });
    await expect(labelledFolder(folder, ["a", "b"])).rejects.toThrow(/no photo can be used/);
  });
});

describe("photosOf", () => {
  it("gives pixels or an error for each photo, in files, folders and bytes", async () => {
    write({ "in/1.jpg": 0, "in/deep/2.jpg": 1, "in/notes.txt": "x", "in/.hidden": "x", "3.jpg": 2 });
    const list = await photosOf(
      [
        join(folder, "3.jpg"),
        join(folder, "in"),
        join(folder, "absent.jpg"),
        { name: "stdin", bytes: pictures[2] ?? new Uint8Array() },
      ],
      { threads: 2 },
    );
    opened.push(list);
    expect(list.files).toEqual([
      ...["3.jpg", "in/1.jpg", "in/deep/2.jpg", "in/notes.txt", "absent.jpg"].map((file) => join(folder, file)),
      "stdin",
    ]);
    const read = await list.read([5, 0, 1, 3, 4], recipe);
    const kinds = read.map((one) => (one instanceof Uint8Array ? one.length : one.reason));
    expect(kinds).toEqual([192, 192, 192, "not a picture that can be read, but text", "no such file or folder"]);
    const [stdin, third] = read;
    expect(stdin instanceof Uint8Array && third instanceof Uint8Array && Buffer.compare(stdin, third)).toBe(0);
  });
});
