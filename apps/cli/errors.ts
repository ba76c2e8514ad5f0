/** @file How the command ends: errors as a person and as a shell see them, signals, a reader that has gone. */

/** By the code of a GraftError. Recognised by its shape, so that `graft --help` need not load the library. */
const exitCodes: Readonly<Record<string, number>> = {
  usage: 2,
  "not-differentiable": 2,
  "bad-data": 3,
  "model-invalid": 4,
  "model-refused": 4,
  "not-cached": 5,
  "out-of-resources": 6,
};

export function exitCodeOf(error: unknown): number {
  return (isGraftError(error) ? exitCodes[error.code] : undefined) ?? 1;
}

/** One line for what was foreseen; the stack for what was not. */
export function explain(error: unknown): string {
  if (isGraftError(error)) return `graft: ${error.message.replace(/\s*[\r\n]+\s*/g, " ")}`;
  return `graft: internal error\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function isGraftError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && error.name === "GraftError" && "code" in error && typeof error.code === "string";
}

/** 128 and the signal's number, as shells have it. */
const signals = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Ends the process on the signals a terminal sends, also where nobody else would (as the first process of a container),
 * and quietly when the reader of its output has gone, as `head` does.
 */
export function obeyTheTerminal(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(signals[signal]));
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit();
      throw error;
    });
  }
}
