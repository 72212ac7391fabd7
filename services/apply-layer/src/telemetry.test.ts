import { resultEntry, waitLine } from "@quantum/contract";
import type { Verdict } from "@quantum/permits";
import { execFileSync } from "node:child_process";
import { EventEmitter } from "node:events";
import { Registry } from "prom-client";
import { beforeEach, describe, expect, it } from "vitest";
import type { Logger, Stages } from "@quantum/service-kit";
import type { PermitWait } from "@quantum/permits";
import { ApplyTelemetry, observe } from "./telemetry.ts";

const OK: Verdict = {
  kind: "ok",
  planId: "67e6da21fa9fe506",
  symbol: "BTCUSDT",
  waitMs: 345,
  safeQty: "0.008",
  mode: "paper",
};
const BLOCKED: Verdict = {
  kind: "blocked",
  planId: "3f58da1bdb590b3b",
  symbol: "ETHUSDT",
  waitMs: 1201,
  reason: "missing_p33",
  detail: "",
  permitTtls: new Map([
    ["governor", 58],
    ["p33", -2],
  ]),
};

/** Steps in the form that the Python apply-layer writes. */
const PYTHON_ORDER = '[{"step": "CLOSE_FULL", "status": "success", "order_id": "11934538190"}]';
const NOT_IMPLEMENTED = '[{"step": "UPDATE_SL", "status": "not_implemented"}]';

/** What operators' `grep -oP` extracts from a line: every match, as grep prints them. */
const EXTRACTORS = {
  plan: /(?<=plan=)[a-f0-9]+/g,
  wait_ms: /(?<=wait_ms=)[0-9]+/g,
  safe_qty: /(?<=safe_qty=)[0-9.]+/g,
  reason: /(?<=reason=)[^ ]+/g,
};
const extract = (line: string) =>
  Object.fromEntries(Object.entries(EXTRACTORS).map(([name, regex]) => [name, line.match(regex) ?? []]));

describe("the wait line", () => {
  it("is the one that docs/wire.md shows", () => {
    expect(waitLine(OK)).toBe(
      "[PERMIT_WAIT] OK plan=67e6da21fa9fe506 wait_ms=345 safe_qty=0.0080 symbol=BTCUSDT",
    );
    expect(waitLine(BLOCKED)).toBe(
      "[PERMIT_WAIT] BLOCK plan=3f58da1bdb590b3b reason=missing_p33 symbol=ETHUSDT wait_ms=1201 gov_ttl=58 p33_ttl=-2",
    );
  });

  it.each([
    ["5", "5.0000"],
    ["0.12345678", "0.12345678"],
    ["0.1", "0.1000"],
    ["123456789.123", "123456789.1230"],
  ])("shows %s as %s, never rounded", (safeQty, shown) => {
    expect(extract(waitLine({ ...OK, safeQty }))["safe_qty"]).toEqual([shown]);
  });

  it.each([
    ["by itself", (line: string) => line],
    ["inside a JSON log record", (line: string) => JSON.stringify({ level: 30, msg: line })],
    ["as the record's last field", (line: string) => JSON.stringify({ plan: "x", msg: line })],
  ])("gives operators' extractors their values %s", (_, within) => {
    expect(extract(within(waitLine(OK)))).toEqual({
      plan: [OK.planId],
      wait_ms: ["345"],
      safe_qty: ["0.0080"],
      reason: [],
    });
    const blocked = { ...BLOCKED, reason: "p33_permit_denied", detail: "no_position" };
    expect(extract(within(waitLine(blocked)))).toEqual({
      plan: [BLOCKED.planId],
      wait_ms: ["1201"],
      safe_qty: [],
      reason: ["p33_permit_denied"],
    });
  });

  it.each([
    // The two patterns of the quick reference.
    ["\\[PERMIT_WAIT\\] OK plan=[a-f0-9]+ wait_ms=[0-9]+ safe_qty=[0-9.]+", 1],
    ["\\[PERMIT_WAIT\\] BLOCK plan=[a-f0-9]+ reason=[a-z0-9_]+", 1],
    // The patterns in the live system's scripts.
    ["\\[PERMIT_WAIT\\]", 2],
    ["\\[PERMIT_WAIT\\] OK", 1],
    ["\\[PERMIT_WAIT\\] BLOCK", 1],
    ["(?<=plan=)[a-f0-9]+", 2],
    ["wait_ms=\\K[0-9]+", 2],
    ["safe_qty=\\K[0-9.]+", 1],
    ["reason=\\K[^ ]+", 1],
    ["symbol=\\K[A-Z0-9]+", 2],
  ])("is found by grep -oP '%s'", (pattern, matches) => {
    const input = [OK, BLOCKED].map((verdict) => JSON.stringify({ msg: waitLine(verdict) })).join("\n");
    const found = execFileSync("grep", ["-oP", pattern], { input, encoding: "utf8" }).trim().split("\n");
    expect(found).toHaveLength(matches);
    expect(found.join("")).not.toContain('"');
  });

  it("shows the issuer's own reason, and nothing in it can pass for a field of ours", () => {
    const detail = 'x" plan=ffff wait_ms=1\nreason=ok safe_qty=9';
    const line = waitLine({ ...BLOCKED, reason: "p33_permit_denied", detail });
    expect(line).toContain(" detail=x");
    expect(extract(line)).toEqual(extract(waitLine({ ...BLOCKED, reason: "p33_permit_denied" })));
    expect(line).not.toContain("\n");
  });
});

describe("telemetry", () => {
  let registry: Registry;
  let events: ApplyTelemetry;
  let wait: EventEmitter & { size: number };
  let timed: unknown[];
  let logged: { level: string; fields: Record<string, unknown>; line: string }[];

  beforeEach(() => {
    registry = new Registry();
    events = new ApplyTelemetry();
    wait = Object.assign(new EventEmitter(), { size: 0 });
    logged = [];
    timed = [];
    const stages: Stages = {
      passed: (passed) => timed.push(passed),
      ended: (period) => timed.push({ stage: "root", ...period }),
    };
    const at = (level: string) => (fields: Record<string, unknown>, line: string) =>
      logged.push({ level, fields, line });
    const log = { info: at("info"), warn: at("warn"), debug: at("debug"), error: at("error") };
    observe({
      events,
      waits: [wait as unknown as PermitWait],
      stages,
      registry,
      log: log as unknown as Logger,
      symbols: new Set(["BTCUSDT"]),
      required: ["governor", "p33"],
      waitBudgetMs: 1_200,
      halted: false,
    });
  });

  it("logs a published plan in the line operators grep", async () => {
    const close = { step: "CLOSE_PARTIAL_75", pct: 75 };
    const opened = { kind: "opened", planId: OK.planId, attempt: "1-0", remainingMs: 1200 } as const;
    events.emit("opened", { symbol: "BTCUSDT", decided: { decision: "EXECUTE", reason: "", close }, opened });
    expect(logged).toMatchObject([
      { line: `BTCUSDT: Plan ${OK.planId} published (decision=EXECUTE, steps=1)` },
    ]);
    expect(await registry.metrics()).toContain(
      'quantum_apply_plan_total{symbol="BTCUSDT",decision="EXECUTE"} 1',
    );
  });

  it("counts a duplicate, and says it only when debugging", async () => {
    const opened = { kind: "duplicate", planId: OK.planId, state: "EXECUTED", remainingMs: 0 } as const;
    events.emit("opened", { symbol: "BTCUSDT", decided: { decision: "EXECUTE", reason: "" }, opened });
    expect(logged.map(({ level }) => level)).toEqual(["debug"]);
    expect(await registry.metrics()).toContain("quantum_apply_dedupe_hits_total 1");
    expect(await registry.metrics()).not.toContain("quantum_apply_plan_total{");
  });

  it("counts a plan that ends when it opens by its reason, whatever the publisher wrote", async () => {
    const decided = { decision: "SKIP", reason: "" } as const;
    for (const [decision, reason] of [
      ["SKIP", "proposal_stale"],
      ["ERROR", "unknown_action_DROP"],
      ["BLOCKED", "made_up"],
    ] as const)
      events.emit("opened", {
        symbol: "BTCUSDT",
        decided,
        opened: { kind: "ended", planId: OK.planId, decision, reason },
      });
    const counted = [...(await registry.metrics()).matchAll(/refused_total\{(.*)\} 1/g)].map(([, at]) => at);
    expect(counted).toEqual([
      'decision="SKIP",reason="proposal_stale"',
      'decision="ERROR",reason="unknown_action"',
      'decision="BLOCKED",reason="other"',
    ]);
  });

  it("gives a verdict's values as fields of the record too", () => {
    wait.emit("verdict", OK);
    wait.emit("verdict", { ...BLOCKED, detail: "why" });
    expect(logged).toMatchObject([
      { level: "info", fields: { plan: OK.planId, symbol: "BTCUSDT", wait_ms: 345, safe_qty: "0.008" } },
      {
        level: "warn",
        fields: { plan: BLOCKED.planId, reason: "missing_p33", detail: "why", gov_ttl: 58, p33_ttl: -2 },
      },
    ]);
  });

  describe("a result", () => {
    const ATTEMPT = "1795000000000-3";
    const fields = {
      ...{ plan_id: OK.planId, symbol: "BTCUSDT", decision: "EXECUTE", executed: "True", attempt: ATTEMPT },
      ...{ outcome: "EXECUTED", wait_ms: "40", settled_at_ms: "1795000000090" },
    };
    const told = (over: Record<string, string | undefined>) => {
      const entry = Object.entries({ ...fields, ...over }).filter(([, value]) => value !== undefined);
      events.emit("result", resultEntry.parse(Object.fromEntries(entry)));
    };

    it("times the wait and the plan, from its opening", () => {
      told({});
      const fromMs = 1_795_000_000_000;
      const period = { planId: OK.planId, attempt: ATTEMPT, fromMs };
      expect(timed).toMatchObject([
        { ...period, stage: "verdict", toMs: fromMs + 40 },
        { ...period, stage: "root", toMs: fromMs + 90, attributes: { "quantum.outcome": "EXECUTED" } },
      ]);
    });

    it.each([
      ["of a Python service", { attempt: undefined, outcome: undefined }],
      ["of a plan that ended when it opened", { decision: "SKIP", outcome: "SKIP", wait_ms: undefined }],
      ["that corrects another one", { corrects: "1795000000001-0" }],
      ["without a time", { settled_at_ms: undefined }],
    ])("%s times nothing", (_, over) => {
      told(over);
      expect(timed).toEqual([]);
    });

    it("whose wait cannot be read times the plan alone", () => {
      told({ wait_ms: "-1 or so" });
      expect(timed).toMatchObject([{ stage: "root" }]);
    });
  });

  it("warns once that a position is too small for any order, until something else comes of its plans", async () => {
    const dust = { ...BLOCKED, symbol: "BTCUSDT", reason: "p33_permit_denied", detail: "dust" };
    for (const verdict of [dust, dust, { ...dust, symbol: "ETHUSDT" }, OK, dust, dust])
      wait.emit("verdict", verdict);
    expect(logged.map(({ level }) => level)).toEqual(["warn", "debug", "warn", "info", "warn", "debug"]);
    expect(await registry.metrics()).toContain(
      'quantum_permit_block_total{reason="dust",symbol="BTCUSDT"} 4',
    );
  });

  it("labels from closed sets only, and never with a plan id", async () => {
    wait.emit("verdict", { ...BLOCKED, symbol: "EVIL", reason: "made_up_reason" });
    wait.emit("verdict", BLOCKED);
    const result = { plan_id: OK.planId, decision: "EXECUTE", executed: true, would_execute: false } as const;
    const ids = { attempt: "", order_id: "", corrects: "", capped_by_venue: false, class: "" };
    const rest = { ...ids, error: "", reason: "", executed_qty: "", avg_price: "" };
    for (const step of ["CLOSE_FULL", "CLOSE_EVERYTHING", { toString: 1 }])
      events.emit("result", {
        ...result,
        ...rest,
        symbol: "BTCUSDT",
        steps_results: [{ step }],
        outcome: "EXECUTED",
      });
    const metrics = await registry.metrics();
    expect(metrics).toContain('quantum_permit_block_total{reason="other",symbol="other"} 1');
    expect(metrics).toContain('quantum_permit_block_total{reason="missing_p33",symbol="other"} 1');
    const executes = [...metrics.matchAll(/quantum_apply_execute_total\{.*step="([^"]*)"/g)].map(
      ([, step]) => step,
    );
    expect(executes).toEqual(["CLOSE_FULL", "other", "none"]);
    expect(metrics).not.toMatch(/EVIL|EVERYTHING|made_up/);
    expect(metrics).not.toContain(OK.planId);
    expect(metrics).not.toContain(BLOCKED.planId);
  });

  it("tells a step that succeeded, one that failed and a dry run apart, whoever wrote the result", async () => {
    const entry = { plan_id: OK.planId, symbol: "BTCUSDT", decision: "EXECUTE", executed: "False" };
    for (const more of [
      { executed: "True", steps_results: '[{"step": "CLOSE_FULL", "status": "success"}]' },
      { executed: "True", steps_results: '[{"step": "UPDATE_SL", "status": "not_implemented"}]' },
      { outcome: "NOT_PLACED" },
      { would_execute: "True" },
      {},
    ])
      events.emit("result", resultEntry.parse({ ...entry, ...more }));
    const metrics = await registry.metrics();
    const counts = [
      ...metrics.matchAll(/quantum_apply_execute_total\{.*step="(\w+)",status="(\w+)"\} (\d)/g),
    ];
    expect(counts.map(([, ...values]) => values)).toEqual([
      ["CLOSE_FULL", "success", "1"],
      ["other", "error", "1"],
      ["none", "error", "2"],
      ["none", "dry_run", "1"],
    ]);
  });

  it.each([
    ["an order", { outcome: "EXECUTED", executed: "True", order_id: "11934538190" }, "True", "None"],
    ["a Python order", { executed: "True", steps_results: PYTHON_ORDER }, "True", "None"],
    ["no order, whatever Python says", { executed: "True", steps_results: NOT_IMPLEMENTED }, "False", "None"],
    ["a refusal", { outcome: "NOT_PLACED", error: "execute_expired" }, "False", "execute_expired"],
    ["a blocked plan", { decision: "BLOCKED", error: "missing_p33" }, "False", "missing_p33"],
    ["a forged line", { error: "no\n[PERMIT_WAIT] OK" }, "False", "no__PERMIT_WAIT_ OK"],
    ["a plan that was passed over", { decision: "SKIP" }, "False", "None"],
    ["a dry run", { outcome: "DRY_RUN", would_execute: "True" }, "False", "None"],
  ])("tells of %s in the lines operators count", (_, more, executed, error) => {
    const entry = { plan_id: OK.planId, symbol: "BTCUSDT", decision: "EXECUTE", executed: "False", ...more };
    events.emit("result", resultEntry.parse(entry));
    const lines = [`BTCUSDT: Result published (executed=${executed}, error=${error})`];
    if (executed === "True") lines.unshift("BTCUSDT: Order 11934538190 executed successfully");
    expect(logged.map(({ line }) => line)).toEqual(lines);
  });

  it("measures the wait in the buckets of docs/metrics.md", async () => {
    wait.emit("verdict", { ...BLOCKED, waitMs: 1250 });
    const metrics = await registry.metrics();
    expect(metrics).toContain('quantum_permit_wait_ms_bucket{le="1250",outcome="blocked"} 1');
    expect(metrics).toContain('quantum_permit_wait_ms_bucket{le="1200",outcome="blocked"} 0');
    const edges = [...metrics.matchAll(/wait_ms_bucket\{le="([^"]+)",outcome="blocked"/g)].map(
      ([, edge]) => edge,
    );
    expect(edges.join(" ")).toBe("1 2 5 10 20 50 100 200 400 600 800 1000 1100 1200 1250 1500 2500 +Inf");
  });
});
