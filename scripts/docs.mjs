await import("../packages/service-kit/require-node.mjs");
await import("../docs/src/main.ts");
