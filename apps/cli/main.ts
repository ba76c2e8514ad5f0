/** @file The `graft` command: arguments in, library calls, text out. Data on stdout, everything else on stderr. */
import { Command, CommanderError } from "commander";
import { exitCodeOf, explain } from "./errors.ts";

const program = new Command("graft")
  .description("Transfer learning: fit a pre-trained model to your own examples.")
  .version("0.1.0")
  .showSuggestionAfterError()
  .exitOverride();

program
  .command("inspect")
  .description("say what goes into a model, what comes out, what is inside, and how deep gradients reach")
  .argument("<model>", "an .onnx file")
  .option("--output <name>", "the output to walk gradients from (default: every floating-point output)")
  .option("--json", "print one JSON document")
  .action(async (model: string, options: { output?: string; json?: boolean }) => {
    const { inspect } = await import("./inspect.ts");
    await inspect(model, options);
  });

program
  .command("gradients")
  .description("write a plain ONNX model with one more input, dy, and an output grad:<name> for each value named")
  .argument("<model>", "an .onnx file")
  .argument("<out>", "the .onnx file to write")
  .requiredOption("--output <name>", "the value to derive")
  .requiredOption("--wrt <names>", "the values to derive by, separated by commas; may be repeated", collectNames, [])
  .action(async (model: string, out: string, options: { output: string; wrt: string[] }) => {
    const { gradients } = await import("./gradients.ts");
    await gradients(model, out, options);
  });

program
  .command("convert")
  .description("read a model and write it as ONNX in its canonical form")
  .argument("<model>", "an .onnx file")
  .argument("<out>", "the .onnx file to write")
  .action(async (model: string, out: string) => {
    const { convert } = await import("./convert.ts");
    await convert(model, out);
  });

program
  .command("sample")
  .description("draw a small set of pictures of three kinds to try everything with: no photos, no network")
  .argument("<folder>", "where to draw them, a folder a class")
  .option("--per-class <number>", "pictures of each kind", Number, 40)
  .option("--seed <number>", "other pictures for other numbers", Number, 0)
  .option("--json", "print one JSON document")
  .action(async (folder: string, options: { perClass: number; seed: number; json?: boolean }) => {
    const { sample } = await import("./sample.ts");
    await sample(folder, options);
  });

function collectNames(names: string, known: readonly string[]): string[] {
  return [...known, ...names.split(",").filter((name) => name !== "")];
}

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its message; help and version end well, everything else was a mistake in usage.
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    process.stderr.write(`${explain(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
