/**
 * @file `npm run fuzz [-- count [first seed [format]]]`: damaged models through reading: ONNX through writing too, others
 * through import; all formats where none is named. It ends with 1 when any file crashes, takes more than ten seconds, takes
 * more memory than stated, is refused without its name and reason, or becomes other weights in spite of checksums.
 */
import { importFormats } from "./imports.ts";
import { type FuzzReport, fuzzOnnx } from "./onnx.ts";
import { fuzzImports } from "./watched.ts";

const count = Number(process.argv[2] ?? 10_000);
const first = Number(process.argv[3] ?? 1);
const only = process.argv[4];
const slowestAllowed = 10_000;
/** ONNX files are below 4 KiB, others below 1 MiB: what the process may grow by, garbage included. */
const growthAllowed = { onnx: 256 * 2 ** 20, other: 2 ** 30 };

let isGood = true;
for (const format of only === undefined ? ["onnx", ...importFormats] : [only]) {
  const before = process.memoryUsage().rss;
  const started = performance.now();
  const report = format === "onnx" ? fuzzOnnx(count, first) : await fuzzImports(format, count, first, slowestAllowed);
  const growth = process.resourceUsage().maxRSS * 1024 - before;
  print(format, report, (performance.now() - started) / 1000, growth);
  const allowed = format === "onnx" ? growthAllowed.onnx : growthAllowed.other;
  isGood &&= report.failures.length === 0 && report.slowest.milliseconds < slowestAllowed && growth < allowed;
}
process.exitCode = isGood ? 0 : 1;

function print(format: string, { accepted, slowest, failures }: FuzzReport, seconds: number, growth: number): void {
  for (const failure of failures.slice(0, 20)) console.error(failure);
  const refused = count - accepted - failures.length;
  console.log(`${format}: ${count} files in ${seconds.toFixed(1)} s: ${accepted} read, ${refused} refused`);
  console.log(`  slowest: ${slowest.milliseconds.toFixed(1)} ms (${slowest.name})`);
  console.log(`  memory: ${(growth / 2 ** 20).toFixed(0)} MiB at most beyond the start`);
  console.log(`  ${failures.length} failures`);
}
