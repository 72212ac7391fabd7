/** The version of the code that this process runs: read once, so a later installation does not change it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const MANIFEST = join(import.meta.dirname, "../../../package.json");

/** An installer that unpacks a tag names it; a checkout has the version of its manifest. */
export const version =
  process.env["QUANTUM_VERSION"] ??
  z.object({ version: z.string() }).parse(JSON.parse(readFileSync(MANIFEST, "utf8"))).version;
