// `node --import ./scripts/source.js file.ts` runs TypeScript, and reads "graftwork" as this checkout's own sources.
import { register } from "node:module";
import { register as registerTypeScript } from "tsx/esm/api";

registerTypeScript();
register(
  `data:text/javascript,${encodeURIComponent(`
    export const resolve = (specifier, context, next) =>
      next(specifier, { ...context, conditions: [...context.conditions, "@graftwork/source"] });
  `)}`,
);
