await import("./require-node.mjs");
await import("./start/stop.ts");
