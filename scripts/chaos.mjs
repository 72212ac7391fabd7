await import("../packages/service-kit/require-node.mjs");
// pnpm hands over the `--` that npm users write between its arguments and ours.
process.argv = process.argv.filter((argument) => argument !== "--");
await import("../campaign/src/main.ts");
