await import("./require-node.mjs");
await import("./compose/main.ts");
