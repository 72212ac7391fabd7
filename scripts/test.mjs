await import("./require-node.mjs");
await import("./test/main.ts");
