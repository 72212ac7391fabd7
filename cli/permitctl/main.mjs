// The entry of the installed command: an older Node, which cannot read TypeScript, is told which one is needed.
await import("../../packages/service-kit/require-node.mjs");
await import("./src/main.ts");
