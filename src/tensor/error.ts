/** @file The one error of the house: what went wrong, where, what was expected, what arrived and what to do. */

/** What kind of failure it is. Programs act on it; the command line maps it to an exit code. */
export type ErrorCode =
  | "usage"
  | "bad-data"
  | "model-invalid"
  | "model-refused"
  | "not-differentiable"
  | "not-cached"
  | "out-of-resources"
  | "runtime-failed";

export interface ErrorDetails {
  /** The place: a file, a node, an attribute, from the outside in. */
  readonly path?: readonly string[];
  readonly expected?: string;
  readonly actual?: string;
  /** What to do next. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** An error that says where, what was expected, what arrived and what to do, and carries the same as fields. */
export class GraftError extends Error {
  readonly code: ErrorCode;
  /** What went wrong, in a sentence, without the place and the hint. */
  readonly reason: string;
  readonly path: readonly string[];
  readonly expected: string | undefined;
  readonly actual: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, reason: string, details: ErrorDetails = {}) {
    super(sentence(reason, details), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "GraftError";
    this.code = code;
    this.reason = reason;
    this.path = details.path ?? [];
    this.expected = details.expected;
    this.actual = details.actual;
    this.hint = details.hint;
  }

  /** The same error, seen from further out: `place` is put in front of its path. */
  at(place: string): GraftError {
    const { code, reason, expected, actual, hint, cause } = this;
    return new GraftError(code, reason, {
      path: [place, ...this.path],
      ...(expected === undefined ? {} : { expected }),
      ...(actual === undefined ? {} : { actual }),
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

function sentence(reason: string, { path = [], expected, actual, hint }: ErrorDetails): string {
  const place = path.length > 0 ? `${path.join(": ")}: ` : "";
  const contrast = [expected && `expected ${expected}`, actual && `found ${actual}`].filter(Boolean).join(", ");
  return [`${place}${reason}`, contrast, hint].filter(Boolean).join("; ");
}

/** Throws what a programmer, not a user, has to mend. */
export function unreachable(what: string): never {
  throw new Error(`internal: ${what}`);
}
