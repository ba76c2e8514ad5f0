/** @file Progress on standard error: a bar on a terminal, a line every ten seconds elsewhere. */

/** Tells a person how far a command is. */
export interface Progress {
  /** Of `total` pieces of the stage, `done` are done. A total of 0 means that nobody knows. */
  progress(stage: string, done: number, total: number): void;
  /** A sentence a person should know. */
  note(text: string): void;
  /** What went wrong, although the command goes on: said even where it should be quiet. */
  problem(text: string): void;
  /** Takes the bar away. What is written afterwards begins on a line of its own. */
  end(): void;
}

export interface ProgressOptions {
  /** Say nothing, neither progress nor notes. */
  readonly quiet?: boolean | undefined;
  /** Default: standard error. */
  readonly stream?: Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns">;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** How often a bar is drawn, and a line written, in milliseconds. */
const [barEvery, lineEvery] = [100, 10_000];
const barWidth = 24;
const clearLine = "\r\u001b[2K";

/** Progress as the stream allows it. */
export function progressOn({
  quiet = false,
  stream = process.stderr,
  now = () => performance.now(),
  environment = process.env,
}: ProgressOptions = {}): Progress {
  const say = (text: string) => stream.write(`graft: ${text}\n`);
  if (quiet) return { progress() {}, note() {}, problem: say, end() {} };
  const isTerminal = stream.isTTY && environment["TERM"] !== "dumb" && !environment["CI"];
  let [stage, started, told, isShown] = ["", now(), now(), false];
  const clear = () => {
    if (isShown) stream.write(clearLine);
    isShown = false;
  };
  const sayAlone = (text: string) => {
    clear();
    say(text);
  };
  return {
    progress(name, done, total) {
      const time = now();
      if (name !== stage) {
        [stage, started, told] = [name, time, time - (isTerminal ? barEvery : 0)];
      }
      const isDone = total > 0 && done >= total;
      if (time - told < (isTerminal ? barEvery : lineEvery) && !(isDone && isShown)) return;
      told = time;
      const text = described(name, done, total, time - started);
      if (!isTerminal) {
        stream.write(`${text}\n`);
        return;
      }
      const room = (stream.columns ?? 80) - 1;
      stream.write(`${clearLine}${total > 0 ? `${bar(done / total)} ` : ""}${text}`.slice(0, room + clearLine.length));
      isShown = true;
    },
    note: sayAlone,
    problem: sayAlone,
    end: clear,
  };
}

function described(stage: string, done: number, total: number, elapsed: number): string {
  const count = (number: number) => number.toLocaleString("en-US");
  if (total <= 0) return `${stage}: ${count(done)}, ${duration(elapsed)}`;
  const share = `${stage}: ${count(done)} of ${count(total)} (${Math.floor((100 * done) / total)} %)`;
  // What is left is guessed only once there is something to guess from.
  const isGuessable = done > 0 && done < total && elapsed > 2000;
  return isGuessable ? `${share}, about ${duration((elapsed / done) * (total - done))} left` : share;
}

function bar(share: number): string {
  const filled = Math.round(Math.min(Math.max(share, 0), 1) * barWidth);
  return `[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}]`;
}

/** `48 s`, `2 min 5 s`. */
function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
