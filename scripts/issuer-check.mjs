await import("../packages/service-kit/require-node.mjs");
await import("./issuer-check/main.ts");
