import { describe, expect, it } from "vitest";
import {
  orderRecord,
  parseRecord,
  parseRecordOrNone,
  planRecord,
  presentFields,
  readableFields,
  RecordError,
} from "./index.ts";

const KEY = "quantum:apply:plan:67e6da21fa9fe506";
const HASH = {
  state: "WAITING",
  symbol: "BTCUSDT",
  opened_at_ms: "1769301008977",
  deadline_ms: "soon",
  close_pct: "",
  p33_verdict: "granted",
  governor_verdict: "perhaps",
  extra: "of a later version",
};

describe("a record", () => {
  it("is read field by field, and only where it is asked for", () => {
    expect(
      parseRecord(planRecord, KEY, HASH, ["state", "opened_at_ms"], ["close_pct", "ended_at_ms"]),
    ).toEqual({
      state: "WAITING",
      opened_at_ms: 1_769_301_008_977,
      close_pct: "",
    });
  });

  it.each([
    ["deadline_ms" as const, `${KEY}: deadline_ms is "soon", and must be a whole number`],
    ["wait_ms" as const, `${KEY}: wait_ms is missing`],
  ])("that is malformed names key, field, value and rule: %s", (field, message) => {
    expect(() => parseRecord(planRecord, KEY, HASH, [field])).toThrow(new RecordError(message));
    expect(parseRecordOrNone(planRecord, HASH, [field])).toBeUndefined();
  });

  it("is malformed in a field that may be missing, too", () => {
    expect(() => parseRecord(planRecord, KEY, HASH, [], ["deadline_ms"])).toThrow(RecordError);
  });

  it("names each value that is allowed", () => {
    const sides = () => parseRecord(orderRecord, "k", { side: "sell", avg_price: "1e3" }, ["side"]);
    expect(sides).toThrow('k: side is "sell", and must be "BUY", "SELL"');
    const price = () => parseRecord(orderRecord, "k", { avg_price: "1e3" }, ["avg_price"]);
    expect(price).toThrow('k: avg_price is "1e3", and must be a decimal without exponent, or empty');
  });

  it("has the fields that HMGET has found, and no others", () => {
    expect(presentFields(["state", "symbol", "step"], ["WAITING", null, ""])).toEqual({
      state: "WAITING",
      step: "",
    });
  });

  it("is taken as far as it can be read, with a field for each issuer; what it has besides is nobody's", () => {
    const { deadline_ms: _, governor_verdict: __, extra: ___, ...readable } = HASH;
    expect(readableFields(planRecord, HASH)).toEqual({
      fields: readable,
      problems: [
        'deadline_ms is "soon", and must be a whole number',
        'governor_verdict is "perhaps", and must be "granted", "denied", "malformed"',
      ],
    });
  });
});
