/** The version of the code that this process runs: read once, so a later installation does not change it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const MANIFEST = join(import.meta.dirname, "../../../package.json");

/** The installer unpacks a tag into a folder of its name; elsewhere the version is the manifest's. */
const release = /\/releases\/([^/]+)\/packages\//.exec(import.meta.dirname)?.[1];

export const version =
  release ?? z.object({ version: z.string() }).parse(JSON.parse(readFileSync(MANIFEST, "utf8"))).version;
