await import("./require-node.mjs");
await import("./issuer-check/main.ts");
