await import("./require-node.mjs");
await import("../docs/src/main.ts");
