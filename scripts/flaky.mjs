await import("../packages/service-kit/require-node.mjs");
await import("./flaky/main.ts");
