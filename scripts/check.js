// `npm run check`: everything that must hold before a commit, in order, up to the first failure.
// Sections can be named: `npm run check -- types unit`.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";

const results = "coverage/results";
const colors = process.stdout.isTTY ? [] : ["--colors=off"];
const tests = (project) => [
  "vitest",
  "run",
  `--project=${project}`,
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${results}/${project}.json`,
];

const sections = {
  lint: ["Format, lint and import order", ["biome", "ci", "--error-on-warnings", ...colors]],
  types: ["Types", ["tsc"]],
  imports: ["Import rules", ["depcruise", "src", "apps", "tests", "bench", "examples"].filter(isCommandOrFolder)],
  unused: ["Dead code", ["knip", "--no-config-hints"]],
  pages: ["Generated pages", ["npm", "run", "--silent", "support", "--", "--check"]],
  build: ["Build", ["npm", "run", "--silent", "build"]],
  package: ["Package", ["publint", "--strict"]],
  unit: ["Unit tests", tests("unit")],
  conformance: ["Conformance", tests("conformance")],
  journeys: ["Journeys", tests("journeys")],
};

function isCommandOrFolder(word, position) {
  return position === 0 || existsSync(word);
}

/** What vitest's reports say: a test file that could not run counts as one failure. */
function countTests() {
  const count = { passed: 0, failed: 0, skipped: 0, ran: false };
  for (const name of Object.keys(sections)) {
    const path = `${results}/${name}.json`;
    if (!existsSync(path)) continue;
    const report = JSON.parse(readFileSync(path, "utf8"));
    count.ran = true;
    count.passed += report.numPassedTests;
    count.failed += report.numFailedTests;
    count.skipped += report.numPendingTests + report.numTodoTests;
    for (const file of report.testResults) {
      const hasFailedTest = file.assertionResults.some(({ status }) => status === "failed");
      if (file.status === "failed" && !hasFailedTest) count.failed += 1;
    }
  }
  return count;
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in sections));
if (unknown.length > 0) {
  console.error(`No section "${unknown.join('", "')}". There are: ${Object.keys(sections).join(", ")}.`);
  process.exit(2);
}

rmSync(results, { recursive: true, force: true });
mkdirSync(results, { recursive: true });
process.env.PATH = `node_modules/.bin${process.platform === "win32" ? ";" : ":"}${process.env.PATH}`;

let stoppedAt;
for (const [name, [title, [command, ...args]]] of Object.entries(sections)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.log(`\n── ${title} ${"─".repeat(Math.max(0, 76 - title.length))}`);
  const { status } = spawnSync(command, args, { stdio: "inherit", shell: process.platform === "win32" });
  if (status !== 0) {
    stoppedAt = title;
    break;
  }
}

const { passed, failed: counted, skipped, ran } = countTests();
// A section of tests can fail without a failed test: an error after the test, or no test at all.
const failed = stoppedAt && counted === 0 ? 1 : counted;
if (stoppedAt) console.log(`\nStopped: "${stoppedAt}" failed.`);
if (ran) console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = stoppedAt ? 1 : 0;
