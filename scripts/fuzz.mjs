await import("./require-node.mjs");
await import("./fuzz/main.ts");
