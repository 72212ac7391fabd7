/** Prometheus's own judgement of the alerts' cases. */
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { findPrometheus } from "@quantum/harness";
import { expect, it } from "vitest";

const CASES = join(import.meta.dirname, "../../ops/prometheus/tests");

it("has rules that fire and stay silent as their cases say", async () => {
  const { promtool } = await findPrometheus();
  const files = (await readdir(CASES)).map((name) => join(CASES, name));
  const { stdout } = await promisify(execFile)(promtool, ["test", "rules", ...files]);
  expect(stdout.match(/SUCCESS/g)).toHaveLength(files.length);
});
