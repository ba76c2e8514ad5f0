/** @file Groups: what belongs together, one burst or one animal, and stays on one side of every split. */
import { GraftError } from "../tensor/index.ts";
import { numberOf } from "./split.ts";

/**
 * From a photo's path (below the folder, with `/`) to its group, or `undefined` where it has none.
 *
 * A regular expression may match anywhere in the path; what its parentheses capture is the group, or the whole match
 * where there are none. A text is a regular expression too, unless it is none or looks like file names with wildcards
 * (`*_*.jpg`): there `*` is any part of a name, `**` any path, `?` one character, and the group is what
 * parentheses capture, or everything before the last `*`.
 *
 * @throws GraftError `usage` for a pattern that cannot be read
 */
export function groupPattern(pattern: string | RegExp): (path: string) => string | undefined {
  const expression = typeof pattern === "string" ? expressionOf(pattern) : new RegExp(pattern, noState(pattern.flags));
  return (path) => {
    const match = expression.exec(path);
    if (match === null) return undefined;
    const captured = match.slice(1).filter((text) => text !== undefined);
    return match.length > 1 ? captured.join("\0") || undefined : match[0] || undefined;
  };
}

/** Without what makes a match depend on the one before. */
function noState(flags: string): string {
  return flags.replace(/[gy]/g, "");
}

function expressionOf(pattern: string): RegExp {
  if (looksLikeWildcards(pattern)) return wildcards(pattern);
  try {
    return new RegExp(pattern, "u");
  } catch (cause) {
    throw new GraftError("usage", "the group pattern is no regular expression", {
      path: [pattern],
      actual: cause instanceof Error ? cause.message : String(cause),
      hint: "for example (.*)_[0-9]+ for names like rex_01.jpg, or */*_* with wildcards",
      cause,
    });
  }
}

/** `*` where a regular expression could not have it, or straight after a letter, `/`, `_` or `-` without any `\`, `^`, `$`, `[`, `+` or `.*`. */
function looksLikeWildcards(pattern: string): boolean {
  if (/(^|[(/|])\*/.test(pattern)) return true;
  return pattern.includes("*") && !/[\\^$[\]+{}|]|\.\*|\)\*/.test(pattern);
}

function wildcards(pattern: string): RegExp {
  const source = pattern.includes("(")
    ? pattern
    : `(${pattern.slice(0, pattern.lastIndexOf("*"))})${lastStar(pattern)}`;
  const translated = source.replace(/\*\*|[*?]|[\\^$.|+[\]{}]/g, (found) => {
    if (found === "**") return ".*";
    if (found === "*") return "[^/]*";
    return found === "?" ? "[^/]" : `\\${found}`;
  });
  try {
    return new RegExp(`^${translated}$`, "u");
  } catch (cause) {
    throw new GraftError("usage", "the group pattern has a parenthesis without its other half", {
      path: [pattern],
      cause,
    });
  }
}

function lastStar(pattern: string): string {
  return pattern.slice(pattern.lastIndexOf("*"));
}

/**
 * One key for each photo: what has the same digest or the same group, directly or through others, has the same key. The
 * key is the member that comes first by the seed's numbers, so that a photo that joins changes it only where it comes first.
 */
export function keysOf(
  photos: readonly { readonly digest: string; readonly group: string | undefined }[],
  seed: number,
): string[] {
  const parents = new Map<string, string>();
  const rootOf = (name: string): string => {
    let root = name;
    for (let next = parents.get(root); next !== undefined && next !== root; next = parents.get(root)) root = next;
    parents.set(name, root);
    return root;
  };
  const comesBefore = (one: string, other: string) => numberOf(one, seed) < numberOf(other, seed);
  for (const { digest, group } of photos) {
    if (group === undefined) continue;
    const [one, other] = [rootOf(digest), rootOf(`group ${group}`)];
    if (one !== other) parents.set(...(comesBefore(one, other) ? ([other, one] as const) : ([one, other] as const)));
  }
  return photos.map(({ digest }) => rootOf(digest));
}
