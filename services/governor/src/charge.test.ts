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
      qty: 150_000n,
      notional: 15_749_985_000n,
    });
  });

  it("is the sum of a Python result's successful steps, at the last known price", () => {
    const steps = [
      { executed_qty: "0.001" },
      { executed_qty: "0.002" },
      { status: "failed", executed_qty: "9" },
    ];
    expect(executedAmounts(pythonResult(...steps), PRICE)).toEqual({
      qty: 300_000n,
      notional: 31_500_000_000n,
    });
  });

  it("is the ordered quantity where an acknowledgement said 0", () => {
    expect(executedAmounts(pythonResult({ executed_qty: "0", quantity: "0.006" }), PRICE)["qty"]).toBe(
      600_000n,
    );
  });

  it("leaves out what cannot be told", () => {
    expect(executedAmounts(pythonResult({ details: "filled" }), PRICE)).toEqual({});
    expect(executedAmounts(pythonResult({ executed_qty: "0.001" }), undefined)).toEqual({ qty: 100_000n });
    expect(executedAmounts(result({ executed_qty: "1e900", avg_price: "1" }), PRICE)).toEqual({});
  });

  it.each(["0.00000", "0", "-5", "0E-8", "nan", ""])("takes an average price of %o for none", (avg_price) => {
    const executed = result({ executed_qty: "0.001", avg_price });
    expect(executedAmounts(executed, PRICE)).toEqual({ qty: 100_000n, notional: 10_500_000_000n });
    expect(executedAmounts(executed, undefined)).toEqual({ qty: 100_000n });
  });

  it.each(["0", "-1", "0E-8", "much"])("takes an executed quantity of %o for one that is not told", (qty) => {
    expect(executedAmounts(result({ executed_qty: qty, avg_price: "1" }), PRICE)).toEqual({});
  });

  it("has no largest value", () => {
    const huge = result({ executed_qty: "900000000000000000.5", avg_price: "1" });
    expect(executedAmounts(huge, PRICE)["qty"]).toBe(90_000_000_000_000_000_050_000_000n);
  });

  it("rounds up", () => {
    expect(executedAmounts(result({ executed_qty: "0.000000001", avg_price: "1" }), PRICE)).toEqual({
      qty: 1n,
      notional: 1n,
    });
  });
});
