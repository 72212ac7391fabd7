await import("../packages/service-kit/require-node.mjs");
await import("../tests/mutants/main.ts");
