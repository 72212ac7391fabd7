await import("./require-node.mjs");
await import("../tests/mutants/main.ts");
