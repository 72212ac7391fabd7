import { describe, expect, it } from "vitest";
import type { Claim, Evidence, StreamName, VenueOrder } from "@quantum/harness";
import { judge } from "./judge.ts";
import { Losses } from "./losses.ts";
import { Recorder } from "./record.ts";

const PLAN = "67e6da21fa9fe506";
const SYMBOL = "BTCUSDT";
const EXECUTE_TTL_MS = 5_000;

/** Builds a history entry by entry. Times are small numbers, from which the ids are made. */
class Story {
  readonly history = new Recorder();
  readonly losses = new Losses();
  readonly claims = new Map<string, Claim>();
  readonly proposed = new Set<string>();
  readonly #orders: VenueOrder[] = [];

  /** One attempt from its plan entry to its handover, from `atMs` to `atMs + 3`. */
  attempt(atMs: number): this {
    this.opened(atMs);
    for (const issuer of ["governor", "p33"])
      this.#tell("permit", atMs + 1, { issuer, verdict: "granted", issued_at_ms: "1", attempt: `${atMs}-0` });
    return this.handOver(atMs + 2, atMs);
  }

  opened(atMs: number): this {
    this.#tell("plan", atMs, {
      action: "FULL_CLOSE_PROPOSED",
      kill_score: "0.3",
      decision: "EXECUTE",
      steps: "[]",
    });
    return this;
  }

  handOver(atMs: number, attemptMs: number): this {
    this.#tell("execute", atMs, {
      attempt: `${attemptMs}-0`,
      attempt_no: "1",
      step: "CLOSE_FULL",
      close_pct: "100",
      position_amt: "1",
      safe_qty: "1",
      max_qty: "",
      valid_until_ms: String(atMs + EXECUTE_TTL_MS),
      opened_at_ms: String(attemptMs),
      mode: "paper",
    });
    return this;
  }

  order(orderId: string, timestampMs: number): this {
    this.#orders.push({
      symbol: SYMBOL,
      orderId,
      clientOrderId: `qp-${PLAN}-1`,
      side: "SELL",
      reduceOnly: true,
      origin: "api",
      origQty: "1",
      executedQty: "1",
      timestampMs,
      recvWindowMs: 1_000,
    });
    return this;
  }

  claim(attemptMs: number, claimedAtMs: number, isQuestion = false): this {
    this.claims.set(PLAN, {
      attempt: `${attemptMs}-0`,
      state: "EXECUTED",
      claimedAtMs,
      windowEndMs: claimedAtMs + EXECUTE_TTL_MS,
      isQuestion,
    });
    return this;
  }

  /** @param corrects the time of the result that it corrects */
  executed(atMs: number, attemptMs: number, orderId: string, corrects?: number): this {
    this.#tell("result", atMs, {
      ...(corrects !== undefined && { corrects: `${corrects}-0` }),
      decision: "EXECUTE",
      executed: "True",
      attempt: `${attemptMs}-0`,
      outcome: "EXECUTED",
      order_id: orderId,
      executed_qty: "1",
    });
    return this;
  }

  blocked(atMs: number, attemptMs: number): this {
    this.#tell("result", atMs, {
      decision: "BLOCKED",
      executed: "False",
      attempt: `${attemptMs}-0`,
      outcome: "BLOCKED",
    });
    return this;
  }

  /** Redis loses everything after `keptMs`. */
  loss(keptMs: number): this {
    const survived = new Map([...this.history.lastIds.keys()].map((stream) => [stream, `${keptMs}-9`]));
    this.losses.add({ seen: new Map(this.history.lastIds), survived }, this.history);
    return this;
  }

  /** The names of the violated invariants, except I5 and I7, which need positions. */
  broken(): string[] {
    const { history } = this;
    const evidence: Evidence = {
      requiredIssuers: ["governor", "p33"],
      issuerKeys: undefined,
      operatorKeys: undefined,
      attemptOf: (_plan, attempt) => attempt,
      proposedPlanIds: this.proposed,
      plans: history.plans,
      permits: history.permits,
      executes: history.executes,
      results: history.results,
      orders: this.#orders,
      trades: [],
      cancelled: [],
      positions: new Map(),
      ledgers: new Map(),
      snapshots: new Map(),
      claims: this.claims,
      halts: [],
    };
    const { findings } = judge(evidence, history, this.losses);
    return Object.entries(findings)
      .filter(([name, { violations }]) => !["I5", "I7"].includes(name) && violations.length > 0)
      .map(([name]) => name);
  }

  #tell(stream: StreamName, atMs: number, fields: Record<string, string>): void {
    const count = this.history.permits.length;
    this.history.take(stream, `${atMs}-${stream === "permit" ? count % 2 : 0}`, {
      plan_id: PLAN,
      symbol: SYMBOL,
      ...fields,
    });
  }
}

const executedOnce = () => new Story().attempt(100).claim(100, 103).order("1", 104).executed(110, 100, "1");

describe("the judgement of a campaign", () => {
  it("finds nothing in a plan that was executed", () => {
    expect(executedOnce().broken()).toEqual([]);
  });

  it("excuses a plan that Redis forgot, and that was opened again and adopted its order", () => {
    const story = executedOnce().loss(99).attempt(200).claim(200, 203).executed(210, 200, "1");
    expect(story.broken()).toEqual([]);
  });

  it("never excuses a second order", () => {
    const story = executedOnce()
      .loss(99)
      .attempt(200)
      .claim(200, 203)
      .order("2", 204)
      .executed(210, 200, "2");
    expect(story.broken()).toContain("I1");
  });

  it("excuses a handover that was lost and repeated, not one that was made twice", () => {
    const again = (story: Story) => story.handOver(200, 100).claim(100, 203).executed(210, 100, "1");
    const before = () => new Story().attempt(100).order("1", 104);
    expect(again(before().loss(101)).broken()).toEqual([]);
    expect(again(before()).broken()).toEqual(expect.arrayContaining(["I2", "I3"]));
  });

  it("wants a result again where the plan was not forgotten and its result was", () => {
    const story = executedOnce().loss(105);
    expect(story.broken()).toContain("I4");
    expect(story.executed(300, 100, "1").broken()).toEqual([]);
    // Also if everything is lost.
    expect(story.loss(0).broken()).toEqual([]);
  });

  it("wants the outcome of an order that was sent although its plan is lost, and no other's", () => {
    const sent = () => new Story().attempt(100).order("1", 104).claim(100, 103).loss(0);
    expect(sent().broken()).toEqual(["I3", "I4"]);
    expect(sent().executed(300, 100, "1").broken()).toEqual([]);
    // The plan came again, and nobody asked whether its order was sent.
    expect(sent().opened(200).blocked(210, 200).broken()).toEqual(["I3", "I4"]);
    expect(new Story().attempt(100).loss(0).broken()).toEqual([]);
  });

  it("excuses a result that was lost and published again, not one that came twice", () => {
    const again = (story: Story) => story.executed(300, 100, "1").broken();
    expect(again(executedOnce().loss(0))).toEqual([]);
    expect(again(executedOnce())).toEqual(["I3", "I4"]);
    expect(again(executedOnce().loss(0).executed(200, 100, "1"))).toEqual(["I3", "I4"]);
  });

  it("excuses a fill that corrects BLOCKED where Redis had forgotten the handover, and nowhere else", () => {
    const corrected = (story: Story) => story.blocked(200, 100).executed(300, 100, "1", 200).broken();
    const sent = () => new Story().attempt(100).order("1", 104).claim(100, 103);
    expect(corrected(sent().loss(101))).toEqual([]);
    expect(corrected(sent())).toContain("I3");
    // Both are lost, and the journal gives the order its outcome.
    const correctedOnce = () => sent().loss(101).blocked(200, 100).executed(300, 100, "1", 200);
    expect(correctedOnce().loss(0).executed(400, 100, "1").broken()).toEqual([]);
    expect(correctedOnce().loss(250).executed(400, 100, "1").broken()).toContain("I3");
  });

  it("excuses a late claim that only asks, not an order that is sent late", () => {
    const late = 103 + EXECUTE_TTL_MS + 1_000;
    const asked = new Story()
      .attempt(100)
      .order("1", 104)
      .claim(100, late, true)
      .executed(late + 1, 100, "1");
    expect(asked.broken()).toEqual([]);
    for (const isQuestion of [true, false]) {
      const sent = new Story()
        .attempt(100)
        .claim(100, late, isQuestion)
        .order("1", late)
        .executed(late + 1, 100, "1");
      expect(sent.broken()).toContain("I6");
    }
  });

  it("knows the window of an order whose claim a vandal took from its permits, and excuses nothing else of it", () => {
    const struck = (timestampMs: number) => {
      const story = new Story().attempt(100).order("1", timestampMs).executed(6_300, 100, "1");
      expect(story.broken()).toEqual(["I6"]);
      story.losses.struckClaims.add(PLAN);
      return story;
    };
    expect(struck(104).broken()).toEqual([]);
    expect(struck(6_000).broken()).toEqual(["I6"]);
    expect(struck(104).order("2", 105).broken()).toContain("I1");
  });

  it("excuses a proposal that a vandal took if nothing came of it", () => {
    const story = new Story();
    story.proposed.add(PLAN);
    expect(story.broken()).toEqual(["I4"]);
    story.losses.struckProposals.add(PLAN);
    expect(story.broken()).toEqual([]);
    expect(story.attempt(100).broken()).toContain("I4");
  });

  it("knows the window of an order whose claim was forgotten from its permits", () => {
    const forgotten = (timestampMs: number) =>
      new Story().attempt(100).order("1", timestampMs).executed(6_300, 100, "1").loss(0).broken();
    expect(forgotten(104)).toEqual([]);
    expect(forgotten(6_000)).toEqual(["I6"]);
  });
});
