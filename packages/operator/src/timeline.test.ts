import type { Entry } from "@quantum/streams";
import { describe, expect, it } from "vitest";
import { conclude } from "./conclusion.ts";
import type { PlanHistory } from "./plan-history.ts";
import { timelineOf } from "./timeline.ts";

const PLAN = "67e6da21fa9fe506";
const OPENED_MS = 1_769_301_008_000;

const entry = (afterMs: number, fields: Record<string, string>): Entry => ({
  id: `${OPENED_MS + afterMs}-0`,
  fields: { plan_id: PLAN, symbol: "BTCUSDT", ...fields },
  deliveries: 1,
});

const history = (parts: Partial<PlanHistory>): PlanHistory => ({
  planId: PLAN,
  record: {},
  order: {},
  unreadable: [],
  plans: [],
  permits: [],
  executes: [],
  results: [],
  notSearched: undefined,
  ...parts,
});

const opened = entry(0, { decision: "EXECUTE", action: "PARTIAL_75", kill_score: "0.5" });

describe("a plan of which little is known", () => {
  it("is told from what the Python apply-layer writes: no record, and entries without an attempt", () => {
    const python = history({
      plans: [opened],
      results: [entry(900, { decision: "EXECUTE", executed: "True", error: "" })],
    });
    expect(timelineOf(python)).toMatchObject([
      {
        attempt: opened.id,
        stages: [
          { stage: "open", deltaMs: 0, text: "EXECUTE, PARTIAL_75, kill_score 0.5" },
          { stage: "result", deltaMs: 900, text: "EXECUTE executed=True" },
        ],
      },
    ]);
    expect(conclude(python, OPENED_MS).sentence).toBe(
      "Its result has decision=EXECUTE, executed=True; it has no outcome.",
    );
  });

  it("is told with the bare permits that it was spent with", () => {
    const seen = { p26_verdict: "granted", p26_reason: "bare_permit", p26_seen_ms: String(OPENED_MS + 5) };
    const [attempt] = timelineOf(history({ plans: [opened], record: { attempt: opened.id, ...seen } }));
    expect(attempt?.stages).toContainEqual(
      expect.objectContaining({
        stage: "p26",
        text: "granted by a bare permit, without attempt, quantity or cap",
      }),
    );
  });

  it("is told from its record where the streams have been trimmed, issuers that only set keys included", () => {
    const at = (ms: number) => String(OPENED_MS + ms);
    const record = {
      state: "BLOCKED",
      symbol: "BTCUSDT",
      mode: "paper",
      step: "CLOSE_FULL",
      attempt: opened.id,
      reason: "missing_p33",
      detail: "",
      wait_ms: "1200",
      opened_at_ms: at(0),
      governor_verdict: "granted",
      governor_seen_ms: at(1200),
      verdict_at_ms: at(1200),
      ended_at_ms: at(1200),
    };
    const [attempt] = timelineOf(history({ record }));
    expect(attempt?.stages.map(({ stage, sinceOpenMs, text }) => [stage, sinceOpenMs, text])).toEqual([
      ["open", 0, "CLOSE_FULL, mode paper"],
      ["governor", 1200, "granted by a key, without a wake-up"],
      ["result", 1200, "BLOCKED, missing_p33"],
    ]);
  });

  it("is in doubt by its order, also after its record was reset", () => {
    const order = { state: "UNKNOWN", attempt: opened.id, client_order_id: "qp-1", why: "answer_ambiguous" };
    expect(conclude(history({ plans: [opened], order }), OPENED_MS)).toMatchObject({
      state: "UNKNOWN",
      sentence: expect.stringMatching(/^In doubt: .* order qp-1 .*answer_ambiguous/),
    });
  });

  it("tells what an operator stated of an order in doubt, and that it ended so", () => {
    const stated = { stated_outcome: "EXECUTED", stated_qty: "0.1", stated_by: "ann@desk" };
    const times = { claimed_at_ms: String(OPENED_MS + 1), stated_at_ms: String(OPENED_MS + 90) };
    const order = { attempt: opened.id, client_order_id: "qp-1", ...stated, ...times };
    const doubted = history({ plans: [opened], order: { ...order, state: "UNKNOWN" } });
    expect(timelineOf(doubted)[0]?.stages.at(-1)).toMatchObject({
      stage: "operator",
      text: "ann@desk stated that it ended EXECUTED 0.1",
    });
    expect(conclude(doubted, OPENED_MS).sentence).toContain("an operator stated EXECUTED 0.1; nothing");
    const ended = { ...order, state: "EXECUTED", executed_qty: "0.1", detail: "stated_by_operator" };
    expect(conclude(history({ order: ended }), OPENED_MS).sentence).toMatch(
      /order qp-1 closed 0\.1, as an operator stated\.$/,
    );
  });

  it("tells who capped it, to what and why, in its timeline and in its conclusion", () => {
    const at = (ms: number) => String(OPENED_MS + ms);
    const record = {
      state: "PERMITTED",
      attempt: opened.id,
      wait_ms: "4",
      safe_qty: "0.062",
      verdict_at_ms: at(4),
      governor_reason: "within_limits",
      p26_reason: "portfolio_cap_cold",
      p26_cap: "0.031",
    };
    const spent = { safe_qty: "0.062", max_qty: "0.031", wait_ms: "4", valid_until_ms: at(5_004) };
    const execute = entry(4, { attempt: opened.id, ...spent });
    const capped = history({ plans: [opened], executes: [execute], record });
    const text = "all permits spent after 4 ms, safe_qty 0.062, capped by p26 to 0.031";
    expect(timelineOf(capped)[0]?.stages.at(-1)).toMatchObject({
      stage: "verdict",
      text: `${text}; the order may be claimed for 5000 ms`,
    });
    // Where the stream has been trimmed.
    expect(timelineOf(history({ record }))[0]?.stages).toContainEqual(
      expect.objectContaining({ stage: "verdict", text }),
    );
    expect(conclude(capped, OPENED_MS).sentence).toMatch(
      /^Permitted: every permit had arrived after 4 ms, p26's for no more than 0\.031 \(portfolio_cap_cold: the portfolio's stress is below /,
    );
    const order = { state: "EXECUTED", attempt: opened.id, order_id: "7", executed_qty: "0.031" };
    expect(conclude(history({ ...capped, order }), OPENED_MS).sentence).toMatch(
      /^Executed: .*, p26's for no more than 0\.031 \(.*\), and order 7 closed 0\.031\.$/,
    );
  });

  it("tells that the exchange's limit for one order made it smaller", () => {
    const order = {
      state: "EXECUTED",
      attempt: opened.id,
      client_order_id: "qp-1",
      order_id: "7",
      side: "SELL",
      quantity: "120",
      executed_qty: "120",
      claimed_at_ms: String(OPENED_MS + 5),
      capped_by_venue: "1",
    };
    const result = entry(9, {
      outcome: "EXECUTED",
      order_id: "7",
      executed_qty: "120",
      avg_price: "9",
      capped_by_venue: "True",
    });
    const capped = history({ plans: [opened], order, results: [result] });
    expect(
      timelineOf(capped)[0]
        ?.stages.slice(1)
        .map(({ text }) => text),
    ).toEqual([
      "qp-1: SELL 120, capped_by_venue: the exchange takes no larger order",
      "EXECUTED, capped_by_venue, order 7: 120 at 9",
    ]);
    const told = /order 7 closed 120\. The exchange takes no larger order of the symbol \(capped_by_venue\)/;
    expect(conclude(capped, OPENED_MS).sentence).toMatch(told);
    // The order key is gone.
    expect(conclude({ ...capped, order: {} }, OPENED_MS).sentence).toMatch(told);
    expect(conclude({ ...capped, results: [] }, OPENED_MS).sentence).toMatch(told);
  });

  it("was executed after all, where a correction says so", () => {
    const order = {
      state: "EXECUTED",
      attempt: opened.id,
      order_id: "7",
      executed_qty: "0.1",
      result_id: "8-0",
      corrected_at_ms: "9",
    };
    const results = [
      entry(60_000, { attempt: opened.id, outcome: "NOT_PLACED", reason: "not_placed_by_evidence" }),
      entry(90_000, { attempt: opened.id, outcome: "EXECUTED", corrects: "8-0" }),
    ];
    const told = history({ plans: [opened], order, results });
    expect(conclude(told, OPENED_MS)).toMatchObject({
      state: "EXECUTED",
      sentence: expect.stringMatching(/^Executed: .*closed 0\.1\. It had ended NOT_PLACED; .*\(8-0\)\.$/),
    });
    expect(timelineOf(told)[0]?.stages.at(-1)?.text).toBe("EXECUTED, corrects 8-0");
    const [denied, correction] = results;
    const named = [denied, { ...correction, fields: { ...correction?.fields, corrects: denied?.id ?? "" } }];
    const withBoth = history({ plans: [opened], order, results: named as typeof results });
    expect(timelineOf(withBoth)[0]?.stages.at(-1)?.text).toBe(
      `EXECUTED, corrects NOT_PLACED not_placed_by_evidence (${denied?.id})`,
    );
  });

  it("is said to open again only where its order key says that it was not claimed", () => {
    const record = { state: "NOT_PLACED", attempt: opened.id, reason: "disarmed" };
    const refused = { state: "NOT_PLACED", attempt: opened.id };
    const sentenceOf = (parts: Partial<PlanHistory>) => conclude(history(parts), OPENED_MS).sentence;
    expect(sentenceOf({ record, order: refused })).toContain("nothing was sent: the plan may open again");
    const claimed = { client_order_id: "qp-1" };
    expect(sentenceOf({ record, order: { ...refused, ...claimed } })).toContain("never opens again");
    const unplaced = { ...refused, ...claimed, state: "UNPLACED" };
    expect(sentenceOf({ record, order: unplaced })).toMatch(/^Not placed: .*never opens again/);
    expect(sentenceOf({ record: { ...record, ...claimed } })).toContain("never opens again");
    expect(sentenceOf({ record })).toContain("only the record of spent permits keeps the plan closed");
  });

  it("waits in a later attempt, whatever became of the order of an earlier one", () => {
    const record = { state: "WAITING", attempt: "1769301999000-0", deadline_ms: String(OPENED_MS + 500) };
    const parts = {
      record: { ...record, p33_verdict: "granted" },
      order: { state: "NOT_PLACED", attempt: opened.id },
    };
    expect(conclude(history(parts), OPENED_MS).sentence).toBe("Waiting for governor, 500 ms left.");
    expect(conclude(history(parts), OPENED_MS + 600).sentence).toContain("no apply-layer is running");
  });
});

describe("attempts", () => {
  it("are told apart, in their order", () => {
    const again = entry(60_000, { decision: "EXECUTE" });
    const results = [
      entry(1200, { attempt: opened.id, outcome: "BLOCKED", reason: "missing_both" }),
      entry(60_007, { attempt: again.id, outcome: "DRY_RUN" }),
    ];
    const attempts = timelineOf(history({ plans: [opened, again], results }));
    expect(
      attempts.map(({ stages }) => stages.map(({ stage, sinceOpenMs }) => [stage, sinceOpenMs])),
    ).toEqual([
      [
        ["open", 0],
        ["result", 1200],
      ],
      [
        ["open", 0],
        ["result", 7],
      ],
    ]);
  });
});

describe("an operator's plan", () => {
  const at = (ms: number) => String(OPENED_MS + ms);
  const record = {
    attempt: opened.id,
    class: "operator",
    operator: "alice",
    verdict_at_ms: at(0),
    wait_ms: "0",
  };
  const exit = (parts: Record<string, string>) =>
    history({ plans: [opened], record: { ...record, safe_qty: "0.5", ...parts } });

  it("is told with who signed it, and what the exchange said afterwards", () => {
    const done = exit({ state: "EXECUTED", executed_qty: "0.4", exit_left: "0.1" });
    expect(timelineOf(done)[0]?.stages).toContainEqual(
      expect.objectContaining({ stage: "verdict", text: "signed by alice, for 0.5 at most" }),
    );
    expect(conclude(done, OPENED_MS).sentence).toBe(
      "Executed: an exit by alice closed 0.4; the exchange then reported a position of 0.1.",
    );
  });

  it.each([
    [{ state: "PERMITTED" }, /^Handed over: an exit by alice; no executor has claimed it yet\.$/],
    [
      { state: "NOT_PLACED", reason: "exit_side_changed", detail: "SELL does not close -1" },
      /^Not placed: an exit by alice: .* \(exit_side_changed\): SELL does not close -1\.$/,
    ],
    [
      { state: "NOT_PLACED", class: "drill", reason: "exit_drill" },
      /^Ended: a drill by alice: .* \(exit_drill\)\.$/,
    ],
  ])("that is %o says so in one sentence", (parts, sentence) => {
    expect(conclude(exit(parts), OPENED_MS).sentence).toMatch(sentence);
  });
});
