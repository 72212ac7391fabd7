// Plain JavaScript that any Node since 14 runs: imported first by each entry, it says what is missing instead of
// letting an older Node fail on the TypeScript that follows.
import { basename } from "node:path";

const NEEDED_MAJOR = 24;
const command = basename(process.argv[1] ?? "start", ".mjs");

if (process.platform === "win32") {
  fail("Windows is not supported: run it in WSL2, or with docker compose up");
}
if (Number(process.versions.node.split(".")[0]) < NEEDED_MAJOR) {
  fail(
    `Node >= ${NEEDED_MAJOR} needed, this is ${process.versions.node}; run it as: npx -y pnpm@12 ${command}`,
  );
}

/** @param {string} line */
function fail(line) {
  console.error(line);
  process.exit(1);
}
