/**
 * @file `npm run fuzz [-- count [first seed]]`: damaged ONNX files through reading and writing. It ends with 1 when any
 * file crashes, takes more than ten seconds, takes more memory than stated, or is refused without its name and reason.
 */
import { fuzzOnnx } from "./onnx.ts";

const count = Number(process.argv[2] ?? 10_000);
const first = Number(process.argv[3] ?? 1);
const slowestAllowed = 10_000;
/** The files are below 4 KiB: what the process may grow by while it reads one after the other, garbage included. */
const growthAllowed = 256 * 2 ** 20;

const before = process.memoryUsage().rss;
const started = performance.now();
const { accepted, slowest, failures } = fuzzOnnx(count, first);
const seconds = (performance.now() - started) / 1000;
const growth = process.resourceUsage().maxRSS * 1024 - before;

for (const failure of failures.slice(0, 20)) console.error(failure);
console.log(
  `${count} files in ${seconds.toFixed(1)} s: ${accepted} read, ${count - accepted - failures.length} refused`,
);
console.log(`slowest: ${slowest.milliseconds.toFixed(1)} ms (${slowest.name})`);
console.log(`memory: ${(growth / 2 ** 20).toFixed(0)} MiB at most beyond the start`);
console.log(`${failures.length} failures`);
const isGood = failures.length === 0 && slowest.milliseconds < slowestAllowed && growth < growthAllowed;
process.exitCode = isGood ? 0 : 1;
