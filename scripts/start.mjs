await import("../packages/service-kit/require-node.mjs");
// Compiled code of earlier starts, as the services keep it too.
(await import("node:module")).enableCompileCache(`${import.meta.dirname}/../.cache/node`);
// pnpm hands over the `--` that npm users write between its arguments and ours.
process.argv = process.argv.filter((argument) => argument !== "--");
await import("../cli/start/src/main.ts");
