import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createReplay, parseReplay, readReplay } from "./replay.ts";

const RECORDED = join(import.meta.dirname, "../../../../shared/data/harvest-proposals.jsonl");
const NO_SNAPSHOT = { version: undefined, position: undefined };

const line = (fields: Record<string, unknown>) =>
  JSON.stringify({ symbol: "BTCUSDT", harvest_action: "PARTIAL_75", kill_score: "0.5", ...fields });

describe("a replayed file", () => {
  it("is published as it is, but for the source and what a line says about itself", () => {
    const [proposal] = parseReplay(
      line({ R_net: "7.00", origin: "x", expected_plan_id: "y", source: "z" }),
      "F",
    );
    expect(proposal?.symbol).toBe("BTCUSDT");
    expect(proposal?.fields).toEqual({
      harvest_action: "PARTIAL_75",
      kill_score: "0.5",
      R_net: "7.00",
      source: "harvest-feed simulated",
    });
  });

  it("gives each line once, the lines of a symbol in order", () => {
    const lines = ["1", "2", "3"].map((R_net) => line({ R_net }));
    const replay = createReplay(parseReplay(`${lines.join("\n")}\n\n`, "F"));
    expect(replay.symbols).toEqual(["BTCUSDT"]);
    const given = lines.map(() => replay.next("BTCUSDT", NO_SNAPSHOT)?.fields["R_net"]);
    expect(given).toEqual(["1", "2", "3"]);
    expect(replay.hasNext("BTCUSDT")).toBe(false);
    expect(replay.next("BTCUSDT", NO_SNAPSHOT)).toBeUndefined();
  });

  it("marks a line that repeats a plan: nobody may wait for a second result", () => {
    const proposals = parseReplay(
      [line({}), line({ R_net: "1" }), line({ kill_score: "0.6" })].join("\n"),
      "F",
    );
    expect(proposals.map(({ repeats }) => repeats)).toEqual([undefined, true, undefined]);
  });

  it("is refused with every bad line's number and rule", () => {
    const lines = [
      line({}),
      "{",
      line({ kill_score: "high" }),
      line({ R_net: 7 }),
      line({ symbol: "b-c" }),
      "[]",
    ];
    expect(() => parseReplay(lines.join("\n"), "FEED_FILE=f.jsonl")).toThrow(
      /^FEED_FILE=f\.jsonl: line 2: .*JSON.*\n.*line 3: kill_score is "high".*\n.*line 4: R_net: 7 is no text.*\n.*line 5: symbol: 2 to 32 letters, digits and `_`\n.*line 6: /,
    );
  });

  it("is refused when it is empty or cannot be read", async () => {
    expect(() => parseReplay("\n", "FEED_FILE=f")).toThrow("FEED_FILE=f: there is no proposal in it");
    await expect(readReplay("/nowhere/f.jsonl")).rejects.toThrow(
      "FEED_FILE=/nowhere/f.jsonl cannot be read: ENOENT",
    );
  });

  it.skipIf(!existsSync(RECORDED))("gives the recorded proposals their recorded plan ids", async () => {
    const recorded = (await readFile(RECORDED, "utf8"))
      .trim()
      .split("\n")
      .map((json) => (JSON.parse(json) as { expected_plan_id: string }).expected_plan_id);
    expect((await readReplay(RECORDED)).map(({ planId }) => planId)).toEqual(recorded);
  });
});
