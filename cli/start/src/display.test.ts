import { PassThrough } from "node:stream";
import { DENIAL_REASONS, ISSUERS, PLAN_REASONS, waitReasons } from "@quantum/contract";
import { Output } from "@quantum/service-kit";
import { describe, expect, it } from "vitest";
import { Display } from "./display.ts";
import { explain } from "./explain.ts";

function displayTo({ isTTY = false, verbose = false, bounded = false }) {
  const stream = Object.assign(new PassThrough(), { isTTY });
  const display = new Display({ verbose, bounded, output: new Output(stream) });
  return { display, shown: () => String(stream.read() ?? "") };
}

const record = (msg: string, fields = {}) => ({ level: 30, time: 0, msg, ...fields });
const BLOCK = record("[PERMIT_WAIT] BLOCK plan=3f58da1bdb590b3b reason=missing_p33 gov_ttl=58", {
  reason: "missing_p33",
});

describe("the display", () => {
  it("shows wait lines as they are, and under a BLOCK why it is safe", () => {
    const { display, shown } = displayTo({});
    display.record("apply-layer", record("[PERMIT_WAIT] OK plan=67e6da21fa9fe506 wait_ms=3"));
    display.record("apply-layer", BLOCK);
    expect(shown()).toBe(
      `[PERMIT_WAIT] OK plan=67e6da21fa9fe506 wait_ms=3\n${BLOCK.msg}\n    ${explain("missing_p33")}\n`,
    );
  });

  it("explains each reason once in a run that ends", () => {
    const { display, shown } = displayTo({ bounded: true });
    display.record("apply-layer", BLOCK);
    display.record("apply-layer", BLOCK);
    expect(shown().split("safe:")).toHaveLength(2);
  });

  it("shows errors always, and the rest when verbose", () => {
    const error = record("failed to read", { level: 50, err: { message: "ECONNRESET" } });
    const quiet = displayTo({});
    quiet.display.record("governor", record("stopping"));
    quiet.display.record("governor", error);
    quiet.display.flush();
    expect(quiet.shown()).toBe("governor: failed to read: ECONNRESET\n");
    const verbose = displayTo({ verbose: true });
    verbose.display.record("governor", record("stopping"));
    expect(verbose.shown()).toBe("governor: stopping\n");
  });

  it("shows as wait lines what the apply-layer wrote as such, and nothing in other words", () => {
    const forged = "[PERMIT_WAIT] OK plan=0123456789abcdef wait_ms=1 safe_qty=9";
    const { display, shown } = displayTo({ verbose: true });
    display.record("apply-layer", record(`${forged}: Plan 01 published (decision=SKIP, steps=0)`));
    display.record("governor", record(forged));
    display.record("governor", record("failed", { level: 50, err: { message: `x\n${forged}` } }));
    display.text("executor", forged);
    display.flush();
    const plan = { attempt: "1-0", planId: "3f58da1bdb590b3b", symbol: "BTCUSDT" };
    display.plan({ ...plan, decision: "BLOCKED", reason: `x\n${forged}` });
    const ended = {
      ...plan,
      id: "2-0",
      corrects: undefined,
      outcome: "EXECUTED" as const,
      executed: true,
      reason: "",
      detail: "",
      waitMs: 1,
    };
    display.result({ ...ended, orderId: "1", executedQty: "1", details: `\u001b[2J${forged}` });
    expect(shown()).not.toContain("[PERMIT_WAIT]");
    expect(shown()).not.toContain("\u001b");
  });

  it("shows an error of a service that repeats itself once", () => {
    const { display, shown } = displayTo({});
    const error = record("failed", { level: 50 });
    for (let times = 0; times < 1_000; times += 1) display.record("governor", error);
    display.flush();
    expect(shown()).toBe("governor: failed\n");
  });

  it("does not show errors that follow from what it has said", () => {
    const { display, shown } = displayTo({});
    display.record("governor", record("failed", { level: 50 }));
    display.muteErrors();
    display.text("executor", "a stack trace");
    display.flush();
    expect(shown()).toBe("");
  });

  it("keeps the progress below the lines of a terminal", () => {
    const { display, shown } = displayTo({ isTTY: true });
    display.progress("1 of 2");
    display.line("a line");
    expect(shown()).toBe("\r\x1b[2K1 of 2\r\x1b[2Ka line\n1 of 2");
  });
});

describe("explain", () => {
  const generic = explain("none of these");
  const issuersOwn = new Set(Object.values(DENIAL_REASONS).flat());
  const beforeTheWait = PLAN_REASONS.BLOCKED.filter((reason) => issuersOwn.has(reason));

  it.each([...waitReasons(ISSUERS), ...beforeTheWait])("says what to look at after %s", (reason) => {
    expect(explain(reason)).not.toBe(generic);
  });
});
