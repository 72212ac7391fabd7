await import("../packages/service-kit/require-node.mjs");
await import("./compose/main.ts");
