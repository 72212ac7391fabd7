/** A file of proposals, replayed by the launcher: each line is accounted for. */
import { writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { ALL_HOLD, expectSound, givenLauncher } from "./launch.ts";

const { start, inFolder } = givenLauncher();

describe("a replayed file", () => {
  const proposal = (fields: Record<string, string>) => ({
    symbol: "BTCUSDT",
    harvest_action: "PARTIAL_75",
    new_sl_proposed: "100.2",
    kill_score: "0.5273976547718264",
    computed_at_utc: "2026-01-22T23:20:48.373980",
    last_update_epoch: "1769124048",
    position_side: "SHORT",
    position_current_price: "105.0",
    ...fields,
  });
  const write = async (lines: readonly Record<string, string>[]) => {
    const file = inFolder("proposals.jsonl");
    await writeFile(file, lines.map((line) => JSON.stringify(line)).join("\n"));
    return file;
  };

  it("accounts for every line, whatever becomes of it", async () => {
    const first = proposal({ expected_plan_id: "cc13b4be14719eae" });
    const file = await write([
      first,
      first,
      proposal({ symbol: "ETHUSDT", harvest_action: "FULL_CLOSE_PROPOSED", position_side: "LONG" }),
      proposal({ harvest_action: "NONE" }),
      proposal({ harvest_action: "HOLD" }),
      proposal({ harvest_action: "UPDATE_SL" }),
      proposal({ harvest_action: "PANIC" }),
      proposal({ kill_score: "nan" }),
    ]);
    const { code, output, summary } = await start("--proposals", file);
    expectSound(code, output);
    expect(summary).toMatchObject({
      plans: 7,
      ok: 2,
      executed: 2,
      duplicates: 1,
      skipped: { action_none: 1, action_hold: 1, update_sl_not_supported: 1 },
      errors: { unknown_action_PANIC: 1, kill_score_invalid: 1 },
      replayed: { lines: 8, plan_ids_as_expected: 1, plan_ids_unexpected: [] },
      invariants: ALL_HOLD,
    });
  });

  it("fails the run where a plan id is not the expected one", async () => {
    const { code, output } = await start(
      "--proposals",
      await write([proposal({ expected_plan_id: "0000000000000000" })]),
    );
    expect(code).toBe(1);
    expect(output).toContain("0000000000000000 expected, not published");
  });
});
