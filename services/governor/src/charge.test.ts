import { resultEntry } from "@quantum/contract";
import { Big } from "big.js";
import { describe, expect, it } from "vitest";
import { executedAmounts } from "./charge.ts";

const PRICE = Big("105000");
const result = (fields: Record<string, string>) =>
  resultEntry.parse({
    plan_id: "67e6da21fa9fe506",
    symbol: "BTCUSDT",
    decision: "EXECUTE",
    executed: "True",
    ...fields,
  });
const pythonResult = (...steps: Record<string, unknown>[]) =>
  result({ steps_results: JSON.stringify(steps.map((step) => ({ status: "success", ...step }))) });

describe("what was executed", () => {
  it("is the order's quantity at its average price", () => {
    expect(executedAmounts(result({ executed_qty: "0.0015", avg_price: "104999.9" }), PRICE)).toEqual({
      qty: 150_000,
      notional: 15_749_985_000,
    });
  });

  it("is the sum of a Python result's successful steps, at the last known price", () => {
    const steps = [
      { executed_qty: "0.001" },
      { executed_qty: "0.002" },
      { status: "failed", executed_qty: "9" },
    ];
    expect(executedAmounts(pythonResult(...steps), PRICE)).toEqual({
      qty: 300_000,
      notional: 31_500_000_000,
    });
  });

  it("is the ordered quantity where an acknowledgement said 0", () => {
    expect(executedAmounts(pythonResult({ executed_qty: "0", quantity: "0.006" }), PRICE)["qty"]).toBe(
      600_000,
    );
  });

  it("leaves out what cannot be told", () => {
    expect(executedAmounts(pythonResult({ details: "filled" }), PRICE)).toEqual({});
    expect(executedAmounts(pythonResult({ executed_qty: "0.001" }), undefined)).toEqual({ qty: 100_000 });
    expect(executedAmounts(result({ executed_qty: "1e300", avg_price: "1" }), PRICE)).toEqual({});
  });

  it("rounds up", () => {
    expect(executedAmounts(result({ executed_qty: "0.000000001", avg_price: "1" }), PRICE)).toEqual({
      qty: 1,
      notional: 1,
    });
  });
});
