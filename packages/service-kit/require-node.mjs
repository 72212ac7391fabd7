// Plain JavaScript that any Node since 14 runs: imported first by each entry, it says what is missing instead of
// letting an older Node fail on the TypeScript that follows.
import { basename, relative } from "node:path";

const NEEDED_MAJOR = 24;
const entry = process.argv[1] ?? "scripts/start.mjs";
/** What `package.json` knows the entry as; a service's entry is none of its scripts. */
const script = basename(entry) === "main.mjs" ? undefined : basename(entry, ".mjs");

if (process.platform === "win32") {
  fail("Windows is not supported: run it in WSL2, or with docker compose up");
}
if (Number(process.versions.node.split(".")[0]) < NEEDED_MAJOR) {
  const how =
    script === undefined
      ? `after "npx -y pnpm@12 install", run it in the checkout as: node_modules/.bin/node ${shown(entry)}`
      : `run it as: npx -y pnpm@12 ${script}`;
  fail(`Node >= ${NEEDED_MAJOR} needed, this is ${process.versions.node}; ${how}`);
}

/**
 * Relative to the checkout.
 * @param {string} path
 */
function shown(path) {
  return relative(decodeURI(new URL("../..", import.meta.url).pathname), path);
}

/** @param {string} line */
function fail(line) {
  console.error(line);
  process.exit(1);
}
