await import("./require-node.mjs");
await import("./mutants/main.ts");
