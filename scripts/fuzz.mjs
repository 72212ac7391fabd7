await import("../packages/service-kit/require-node.mjs");
await import("./fuzz/main.ts");
