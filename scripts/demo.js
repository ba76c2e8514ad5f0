// The README's first command: draws photos of three kinds, trains, evaluates, predicts and leaves a report. No network.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
process.chdir(root);
rmSync("demo", { recursive: true, force: true });

/** Runs `graft` as a user would, showing the command. Ends the demonstration where it fails. */
function graft(...args) {
  process.stdout.write(`\n$ graft ${args.join(" ")}\n`);
  const { status } = spawnSync(process.execPath, [join(root, "bin/graft.js"), ...args], { stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

graft("sample", "demo/photos", "--per-class", "60");
graft("train", "demo/photos", "--base", "pocket", "--out", "demo/run");
// Pictures that were not there when it was trained.
graft("sample", "demo/new", "--per-class", "20", "--seed", "2");
graft("evaluate", "demo/run/model.onnx", "demo/new");
const some = readdirSync("demo/new").flatMap((kind) =>
  readdirSync(join("demo/new", kind))
    .slice(0, 2)
    .map((name) => join("demo/new", kind, name)),
);
graft("predict", "demo/run/model.onnx", ...some);
process.stdout.write(`\nThe report: ${join(root, "demo/run/report.html")}\n`);
