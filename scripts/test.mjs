await import("../packages/service-kit/require-node.mjs");
await import("./test/main.ts");
