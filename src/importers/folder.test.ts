import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { folderFiles } from "./folder-node.ts";

describe("folderFiles", () => {
  let outer = "";
  let folder = "";

  beforeAll(async () => {
    outer = await mkdtemp(join(tmpdir(), "graft-folder-"));
    folder = join(outer, "model");
    await mkdir(join(folder, "variables"), { recursive: true });
    await mkdir(join(folder, ".git"));
    await writeFile(join(folder, "saved_model.pb"), "abc");
    await writeFile(join(folder, "variables", "index"), "");
    await writeFile(join(folder, ".git", "HEAD"), "x");
    await writeFile(join(outer, "secret"), "secret");
    await symlink("saved_model.pb", join(folder, "inner"));
    await symlink("../secret", join(folder, "outer"));
    await symlink("nowhere", join(folder, "dangling"));
    await symlink(".", join(folder, "circle"));
  });

  afterAll(async () => await rm(outer, { recursive: true, force: true }));

  it("lists plain files below the folder, and follows links within it", async () => {
    const files = await folderFiles(folder);
    expect(files.names).toEqual(["dangling", "inner", "outer", "saved_model.pb", "variables/index"]);
    expect(new TextDecoder().decode(await files.read("inner"))).toBe("abc");
    expect(files.size("saved_model.pb")).toBe(3);
    expect((await files.read("variables/index")).length).toBe(0);
  });

  it("refuses links that lead out, unless it is told how far they may", async () => {
    const files = await folderFiles(folder);
    for (const name of ["outer", "dangling"])
      await expect(async () => await files.read(name)).rejects.toThrow(/leads out/);
    const wider = await folderFiles(folder, { within: outer });
    expect(new TextDecoder().decode(await wider.read("outer"))).toBe("secret");
  });

  it("says what folder cannot be read", async () => {
    await expect(folderFiles(join(outer, "none"))).rejects.toThrow(/none: the folder cannot be read/);
  });
});
