await import("./require-node.mjs");
await import("../cli/start/src/stop.ts");
