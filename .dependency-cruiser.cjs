// The import table of ARCHITECTURE.md, executable. A room imports only what its row names, and every room may use `tensor` and `files`.
const rows = {
  tensor: [],
  files: [],
  graph: [],
  shapes: ["graph"],
  onnx: ["graph"],
  gradient: ["graph", "shapes"],
  passes: ["graph", "shapes"],
  layers: ["graph", "shapes"],
  importers: ["graph", "shapes", "onnx", "layers"],
  applications: ["graph", "shapes", "layers"],
  hub: [],
  data: [],
  runtime: [],
  evaluation: [],
  model: ["graph", "shapes", "gradient", "passes", "onnx", "layers", "importers", "applications", "hub", "data"],
  training: ["graph", "shapes", "gradient", "passes", "onnx", "model", "data", "runtime", "evaluation"],
  inspection: ["graph", "shapes", "passes", "onnx", "model", "data", "runtime"],
  keras: ["graph", "shapes", "passes", "onnx", "model", "training", "data", "runtime", "evaluation"],
  transfer: ["graph", "shapes", "passes", "onnx", "model", "training", "inspection", "data", "runtime", "evaluation"],
  testing: ["graph", "shapes", "gradient", "passes", "onnx", "runtime"],
};

const TEST = "[.]test[.]ts$";
const PLATFORM = ["^src/(node|web)[.]ts$", "-(node|web)[.]ts$"];
const roomPaths = (rooms) => `^src/(${rooms.join("|")})/`;

const roomRules = Object.entries(rows).flatMap(([room, imports]) => {
  const own = [...new Set([room, "tensor", "files", ...imports])];
  const list = imports.length > 0 ? imports.map((name) => `\`${name}\``).join(", ") : "nothing more";
  return [
    {
      name: `room-${room}`,
      comment: `\`${room}\` may import \`tensor\`, \`files\` and ${list}.`,
      severity: "error",
      from: { path: `^src/${room}/`, pathNot: TEST },
      to: { path: "^src/", pathNot: roomPaths(own) },
    },
    {
      name: `room-${room}-tests`,
      comment: `A test in \`${room}\` may import what the room may, and \`testing\`, \`shapes\`, \`passes\` and \`runtime\` to judge it.`,
      severity: "error",
      from: { path: `^src/${room}/.*${TEST}` },
      to: {
        path: "^src/",
        pathNot: roomPaths([...new Set([...own, "testing", "shapes", "gradient", "passes", "runtime"])]),
      },
    },
  ];
});

module.exports = {
  forbidden: [
    ...roomRules,
    {
      name: "every-file-has-a-room",
      comment: "A folder under src/ that the table does not name has no row yet: add one.",
      severity: "error",
      from: { path: "^src/[^/]+/", pathNot: roomPaths(Object.keys(rows)) },
      to: {},
    },
    {
      name: "no-sibling-importer",
      comment:
        "An importer never reads through another: what two of them need belongs in src/importers/ itself or in onnx.",
      severity: "error",
      from: { path: "^src/importers/([^/]+)/" },
      to: { path: "^src/importers/[^/]+/", pathNot: "^src/importers/$1/" },
    },
    {
      name: "platform-behind-its-door",
      comment: "sharp and ONNX Runtime appear only in node.ts, web.ts and files named *-node.ts or *-web.ts.",
      severity: "error",
      from: { path: "^src/", pathNot: [...PLATFORM, TEST, "^src/testing/"] },
      to: { path: "node_modules/(sharp|onnxruntime-)" },
    },
    {
      name: "node-behind-its-door",
      comment: "Node's own modules appear only in node.ts and files named *-node.ts.",
      severity: "error",
      from: { path: "^src/", pathNot: ["^src/node[.]ts$", "-node[.]ts$", TEST, "^src/testing/"] },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "platform-files-are-chosen-by-the-doors",
      comment:
        "Only node.ts, web.ts and other platform files choose a platform; everything else receives an interface.",
      severity: "error",
      from: { path: "^src/", pathNot: [...PLATFORM, TEST, "^src/testing/", "^src/(files|hub)/index[.]ts$"] },
      to: { path: PLATFORM },
    },
    {
      name: "files-and-hub-are-for-platform-files",
      comment: "These two rooms know Node: only platform files, and the rooms themselves, read them.",
      severity: "error",
      from: { path: "^src/", pathNot: [...PLATFORM, TEST, "^src/testing/", "^src/(files|hub)/"] },
      to: { path: "^src/(files|hub)/" },
    },
    {
      name: "web-knows-no-node",
      comment: "A file for browsers imports neither Node's modules nor a file for Node.",
      severity: "error",
      from: { path: ["^src/web[.]ts$", "-web[.]ts$"] },
      to: { path: ["^src/node[.]ts$", "-node[.]ts$", "^node:", "/onnxruntime-node/"] },
    },
    {
      name: "public-entries-only",
      comment: "Apps, examples and journeys use what a user has: graftwork, graftwork/node and graftwork/web.",
      severity: "error",
      from: { path: "^(apps|examples|tests/journeys)/" },
      to: { path: "^(src/.+|dist/)", pathNot: "^src/(index|node|web)[.]ts$" },
    },
    {
      name: "tests-are-not-imported",
      severity: "error",
      from: {},
      to: { path: TEST },
    },
    {
      name: "sources-do-not-import-tests",
      severity: "error",
      from: { path: "^src/", pathNot: TEST },
      to: { path: "^(tests|bench|apps|examples|scripts)/" },
    },
    {
      name: "no-cycles",
      comment: "Nothing waits for itself to load. Types of one room may name each other.",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "no-orphans",
      comment: "Nothing imports this file and it imports nothing.",
      severity: "error",
      from: { orphan: true, path: "^(src|apps)/", pathNot: [TEST, "[.]d[.]ts$", "^src/(index|node|web)[.]ts$"] },
      to: {},
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    {
      name: "declared-dependencies",
      comment: "What the library and its apps import at run time stands in package.json's dependencies.",
      severity: "error",
      from: { path: "^(src|apps)/", pathNot: [TEST, "^src/testing/", "^apps/studio/"] },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["npm-peer", "type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|bench/peers|coverage)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["@graftwork/source", "import", "node", "default", "types"],
      extensions: [".ts", ".js", ".cjs", ".mjs", ".d.ts", ".json"],
    },
  },
};
