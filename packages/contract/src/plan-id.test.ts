import { existsSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planFingerprint, planId } from "./plan-id.ts";
import { parseProposal, type Proposal } from "./proposal.ts";

/** Vectors of the running Python services, kept beside the repository; the ones below stand in where they are absent. */
const VECTORS = new URL("../../../../shared/data/plan-ids.json", import.meta.url);
const PROPOSALS = new URL("../../../../shared/data/harvest-proposals.jsonl", import.meta.url);

/** symbol | harvest_action | kill_score | new_sl_proposed | computed_at_utc | plan id, as Python computes it */
const FROM_PYTHON = [
  "BTCUSDT|FULL_CLOSE_PROPOSED|0.758285465877316|100.2|2026-01-29T15:30:15.765694|5ccb55e0c09e77cb",
  "ETHUSDT|FULL_CLOSE_PROPOSED|0.753301|50.1|2026-01-23T23:15:08.767005|49357a4cc108ac4f",
  "ETHUSDT|PARTIAL_50|0.0234375|1e+16||bcaec8abdca174d5",
  "ETHUSDT|NONE|0.0078125|1e-07|2026-01-22T23:20:48.373980|820b155bbfb8c8cd",
  "ETHUSDT|FULL_CLOSE_PROPOSED|0.1234565|None|2026-01-22T23:20:48.373980|7aaf60db4c65e562",
  "BTCUSDT|PARTIAL_75|0.3|2.5e-7|2026-01-25T00:27:27Z|9ac2f3fdd0e1a86e",
  "1000SHIBUSDT|UPDATE_SL|0.0000005|-0.0||8cfc66be20af5e4f",
  "ETHUSDT|PARTIAL_75|1|9999999999999998|2026-01-22T23:20:48.373980|4375680b0a976830",
  "1000SHIBUSDT|PARTIAL_75|0.9999995|5e-324||01553bb9b9875181",
  "BTCUSDT|UPDATE_SL|1| 1.5 ||93643c992cdb812c",
];

describe("planFingerprint", () => {
  it("joins the plan's identity, numbers as Python prints them", () => {
    const proposal = parsed({
      symbol: "ETHUSDT",
      harvest_action: "PARTIAL_50",
      kill_score: "0.0078125",
      new_sl_proposed: " 1E5 ",
      computed_at_utc: "2026-01-25T00:27:27Z",
    });
    expect(planFingerprint(proposal)).toBe("ETHUSDT:PARTIAL_50:0.007812:100000.0:2026-01-25T00:27:27Z");
  });

  it("does not tell an absent stop loss or time from an empty one", () => {
    const required = { symbol: "BTCUSDT", harvest_action: "NONE", kill_score: "0.5" };
    expect(planFingerprint(parsed(required))).toBe("BTCUSDT:NONE:0.500000:None:");
    const empty = { ...required, new_sl_proposed: "", computed_at_utc: "" };
    expect(planFingerprint(parsed(empty))).toBe(planFingerprint(parsed(required)));
  });

  it("prints a kill score that the gates will refuse as Python does", () => {
    const fingerprint = (kill_score: string) =>
      planFingerprint(parsed({ symbol: "BTCUSDT", harvest_action: "NONE", kill_score }));
    expect(["nan", "-inf", "-0.0", "1e3"].map(fingerprint)).toEqual([
      "BTCUSDT:NONE:nan:None:",
      "BTCUSDT:NONE:-inf:None:",
      "BTCUSDT:NONE:-0.000000:None:",
      "BTCUSDT:NONE:1000.000000:None:",
    ]);
  });
});

describe("planId", () => {
  it.each(FROM_PYTHON)("is Python's for %s", (vector) => {
    const [
      symbol = "",
      harvest_action = "",
      kill_score = "",
      new_sl_proposed = "",
      computed_at_utc = "",
      id,
    ] = vector.split("|");
    const fields = { symbol, harvest_action, kill_score, new_sl_proposed, computed_at_utc };
    expect(planId(parsed(fields))).toBe(id);
  });

  it("depends on what the numbers are, not on how they are written", () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(number, number, (killScore, stopLoss) => {
        const id = (write: (n: number) => string) =>
          planId(
            parsed({
              symbol: "BTCUSDT",
              harvest_action: "PARTIAL_25",
              kill_score: write(killScore),
              new_sl_proposed: write(stopLoss),
            }),
          );
        const plain = id((n) => (Object.is(n, -0) ? "-0" : String(n)));
        expect(id((n) => ` ${Object.is(n, -0) ? "-" : ""}${n.toExponential().toUpperCase()}\n`)).toBe(plain);
      }),
    );
  });

  it("equals every vector kept beside the repository", ({ skip }) => {
    skip(!existsSync(VECTORS), "there is no ../shared/data/plan-ids.json");
    const vectors = JSON.parse(readFileSync(VECTORS, "utf8")) as Record<string, string>[];
    expect(vectors.length).toBeGreaterThan(0);
    for (const { fingerprint, plan_id, ...fields } of vectors) {
      expect(planFingerprint(parsed(fields))).toBe(fingerprint);
      expect(planId(parsed(fields))).toBe(plan_id);
    }
  });

  it("equals expected_plan_id of every proposal kept beside the repository", ({ skip }) => {
    skip(!existsSync(PROPOSALS), "there is no ../shared/data/harvest-proposals.jsonl");
    const lines = readFileSync(PROPOSALS, "utf8").trim().split("\n");
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      const fields = JSON.parse(line) as Record<string, string>;
      expect(planId(parsed(fields))).toBe(fields["expected_plan_id"]);
    }
  });
});

function parsed({ symbol = "", ...fields }: Record<string, string>): Proposal {
  const result = parseProposal(symbol, fields);
  if (!result.ok) throw new Error(result.problems.join("; "));
  return result.proposal;
}
