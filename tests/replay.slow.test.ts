/** Proposals that were recorded in production, replayed by the launcher. They are not part of the repository. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ALL_HOLD, expectSound, givenLauncher } from "./launch.ts";

const RECORDED = join(import.meta.dirname, "../../shared/data/harvest-proposals.jsonl");
const RECORDED_TIMEOUT_MS = 60_000;

const { start } = givenLauncher();

describe("a replayed file", () => {
  it("gives the recorded proposals their plan ids", { timeout: RECORDED_TIMEOUT_MS }, async ({ skip }) => {
    skip(!existsSync(RECORDED), "there is no ../shared/data/harvest-proposals.jsonl");
    const lines = (await readFile(RECORDED, "utf8")).trim().split("\n").length;
    const { code, output, summary } = await start("--proposals", RECORDED, "--rate", "200");
    expectSound(code, output);
    expect(summary).toMatchObject({
      plans: lines,
      replayed: { lines, plan_ids_as_expected: lines, plan_ids_unexpected: [] },
      invariants: ALL_HOLD,
    });
  });
});
