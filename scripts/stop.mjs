await import("../packages/service-kit/require-node.mjs");
await import("../cli/start/src/stop.ts");
