await import("./require-node.mjs");
await import("./flaky/main.ts");
