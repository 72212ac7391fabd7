import { describe, expect, it } from "vitest";
import { executeEntry } from "./messages.ts";

describe("an entry of apply.execute", () => {
  const entry = {
    plan_id: "0123456789abcdef",
    symbol: "BTCUSDT",
    attempt: "1769301008977-0",
    attempt_no: "1",
    step: "CLOSE_PARTIAL_25",
    close_pct: "25.0",
    position_amt: "-0.062",
    safe_qty: "0.01",
    max_qty: "",
    valid_until_ms: "1769301013977",
    opened_at_ms: "1769301008977",
    mode: "paper",
  };

  it("is one with and without a cap, and of a short position", () => {
    expect(executeEntry.safeParse(entry).success).toBe(true);
    expect(executeEntry.safeParse({ ...entry, max_qty: "0.005" }).success).toBe(true);
  });

  it.each([{ safe_qty: "-1" }, { max_qty: "-5.0" }, { safe_qty: "1e3" }, { safe_qty: "" }])(
    "is none with %j, which is no quantity",
    (damaged) => {
      expect(executeEntry.safeParse({ ...entry, ...damaged }).success).toBe(false);
    },
  );
});
