await import("./require-node.mjs");
await import("./docs/main.ts");
