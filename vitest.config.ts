import { defineConfig, type ViteUserConfig } from "vitest/config";

// "graftwork" inside this repository is its TypeScript source, so that no test meets a stale build.
const conditions = ["@graftwork/source", "module", "node", "development|production"];

const config: ViteUserConfig = defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    environment: "node",
    env: { ORT_DISABLE_TELEMETRY: "1" },
    setupFiles: ["scripts/fail-on-console.ts"],
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["src/**/*.test.ts", "apps/**/*.test.ts"], testTimeout: 20_000 },
      },
      {
        extends: true,
        test: { name: "conformance", include: ["tests/conformance/**/*.test.ts"], testTimeout: 120_000 },
      },
      { extends: true, test: { name: "journeys", include: ["tests/journeys/**/*.test.ts"], testTimeout: 300_000 } },
    ],
  },
});

export default config;
