/**
 * Runs random histories of one plan against the real scripts and a model. Each step checks the script's answer, and
 * that nothing changes while the plan waits, is a duplicate or is replayed.
 */
import assert from "node:assert/strict";
import { createIssuer, type Issuer } from "@quantum/permits";
import {
  GRACE_MS,
  keys,
  PERMITS,
  PLAN,
  proposalFrom,
  REQUIRED,
  type startScriptRig,
  SYMBOL,
  WAIT_MS,
} from "./script-rig.fixture.ts";

const FOREIGN_ATTEMPT = "1-0";
const CLOSE = { step: "CLOSE_PARTIAL_75", pct: 75 };

type ScriptRig = Awaited<ReturnType<typeof startScriptRig>>;

/** The contents of an issuer's keys, as far as a verdict depends on them. */
export type Said = "granted" | "denied" | "malformed";
interface Attempt {
  id: string;
  mode: string;
  /** The deadline is far away, has just passed, or has passed by more than the grace. */
  time: "early" | "due" | "late";
}

export type Step =
  | { do: "open"; mode: string }
  | { do: "skip" }
  /** An issuer that only sets keys answers; `foreign`: for another attempt. */
  | { do: "set"; issuer: string; said: Said | "foreign" }
  | { do: "grant all" }
  /** One of our issuers answers the current attempt, or an earlier one, `ago` attempts back. */
  | { do: "issue"; issuer: string; granted: boolean; ago: number }
  | { do: "consume" }
  | { do: "halt"; by: "kill_switch_active" | "disarmed" }
  | { do: "resume" }
  | { do: "pass time"; to: "due" | "late" }
  | { do: "reset" }
  | { do: "expire permit"; issuer: string }
  | { do: "expire mark" }
  | { do: "settle"; state: "NOT_PLACED" | "EXECUTED"; claimed: boolean };

export class PlanModel {
  readonly #rig: ScriptRig;
  readonly #redis: ScriptRig["redis"];
  readonly #consume: ReturnType<ScriptRig["consumer"]>;
  readonly #issuers: ReadonlyMap<string, Issuer>;

  readonly #attempts: Attempt[] = [];
  #halts = new Set<string>();
  #marked = false;
  /** The waiting attempt, if the plan has a record. */
  #waiting: Attempt | undefined;
  #recorded = false;
  #permits = new Map<string, { said: Said; attempt?: string }>();
  #blocks = new Map<string, { attempt?: string }>();
  /** The attempt that spent permits for an order, until the order has ended. */
  #ordering: Attempt | undefined;
  #claimed = false;
  /** Attempts that no longer wait, and how they must have ended. */
  readonly #ends = new Map<string, "executed" | "result" | "abandoned">();

  constructor(rig: ScriptRig) {
    this.#rig = rig;
    this.#redis = rig.redis;
    this.#consume = rig.consumer();
    const options = { redis: rig.redis, keys, permitTtlSec: 60, denialTtlSec: 60, reserveTtlMs: WAIT_MS };
    this.#issuers = new Map(
      REQUIRED.map((issuer) => [issuer, createIssuer({ ...options, issuer, group: issuer })]),
    );
  }

  async take(step: Step): Promise<void> {
    switch (step.do) {
      case "open":
        return this.#open(step.mode);
      case "skip":
        return this.#skip();
      case "set":
        return this.#set(step.issuer, step.said);
      case "grant all":
        for (const issuer of REQUIRED) await this.#set(issuer, "granted");
        return;
      case "issue":
        return this.#issue(step.issuer, step.granted, step.ago);
      case "consume":
        return this.#spend();
      case "halt":
        this.#halts.add(step.by);
        await this.#redis.set(step.by === "disarmed" ? keys.disarm : keys.killSwitch, "1");
        return;
      case "resume":
        this.#halts.clear();
        await this.#redis.del(keys.disarm, keys.killSwitch);
        return;
      case "pass time":
        return this.#passTime(step.to);
      case "reset":
        await this.#rig.operatorsReset();
        if (this.#waiting !== undefined) this.#ends.set(this.#waiting.id, "abandoned");
        this.#waiting = undefined;
        this.#recorded = false;
        this.#marked = false;
        return;
      case "expire permit":
        this.#permits.delete(step.issuer);
        await this.#redis.del(keys.permit(step.issuer, PLAN));
        return;
      case "expire mark":
        this.#marked = false;
        await this.#redis.del(keys.dedupe(PLAN));
        return;
      case "settle":
        return this.#settle(step.state, step.claimed || step.state === "EXECUTED");
    }
  }

  /** Redis's actual state: attempts handed over, attempts with a result, and waiting plans. */
  async observed() {
    const attempts = async (stream: string) =>
      (await this.#rig.entries(stream)).map(({ attempt }) => attempt);
    return {
      executed: await attempts(keys.streams.execute),
      result: await attempts(keys.streams.result),
      waiting: await this.#redis.zrange(keys.waiting(SYMBOL), 0, -1),
    };
  }

  /** The state that {@link observed} must return. */
  expected() {
    const ended = (how: string) => [...this.#ends].filter(([, end]) => end === how).map(([id]) => id);
    return {
      executed: ended("executed"),
      result: ended("result"),
      waiting: this.#waiting === undefined ? [] : [PLAN],
    };
  }

  /** Ends a waiting plan. Then every published attempt has ended, or was abandoned by a reset. */
  async end(): Promise<void> {
    await this.#passTime("late");
    await this.#spend();
    assert.equal(this.#waiting, undefined);
    assert.equal(this.#ends.size, await this.#redis.xlen(keys.streams.plan));
  }

  async #unchanged<T>(run: () => Promise<T>): Promise<T> {
    const before = await this.#rig.keyspace();
    const reply = await run();
    assert.deepEqual(await this.#rig.keyspace(), before);
    return reply;
  }

  async #open(mode: string): Promise<void> {
    const run = () =>
      this.#rig.opener({ mode })(proposalFrom(), { decision: "EXECUTE", reason: "", close: CLOSE });
    const taken =
      this.#marked || this.#waiting !== undefined || this.#ordering !== undefined || this.#claimed;
    if (taken) {
      assert.equal((await this.#unchanged(run)).kind, "duplicate");
      return;
    }
    const opened = await run();
    this.#opened();
    const halt = this.#halt();
    if (halt === undefined) {
      assert.ok(opened.kind === "opened");
      this.#waiting = { id: opened.attempt, mode, time: "early" };
      this.#attempts.push(this.#waiting);
    } else {
      assert.partialDeepStrictEqual(opened, { kind: "ended", decision: "BLOCKED", reason: halt });
      await this.#endedAtOnce();
    }
  }

  async #skip(): Promise<void> {
    const open = this.#rig.opener();
    const opened = await open(proposalFrom(), { decision: "SKIP", reason: "action_hold" });
    if (opened.kind === "duplicate") return;
    this.#opened();
    await this.#endedAtOnce();
  }

  #opened(): void {
    this.#marked = true;
    this.#recorded = true;
    this.#permits.clear();
    this.#blocks.clear();
  }

  async #endedAtOnce(): Promise<void> {
    this.#ends.set((await this.#redis.hget(keys.plan(PLAN), "attempt")) ?? "", "result");
  }

  /** Sets keys like the Python issuers: no attempt, no wake-up, no checks. The governor denies with a block key. */
  async #set(issuer: string, said: Said | "foreign"): Promise<void> {
    const isBlock = said === "denied" && issuer === "governor";
    const bodies = {
      granted: PERMITS[issuer],
      denied: { allow: false, symbol: SYMBOL, reason: "no_position" },
      malformed: { ...PERMITS[issuer], symbol: "ETHUSDT" },
      foreign: { ...PERMITS[issuer], attempt: FOREIGN_ATTEMPT },
    };
    const key = isBlock ? keys.block(issuer, PLAN) : keys.permit(issuer, PLAN);
    await this.#redis.setex(key, 60, JSON.stringify(bodies[said]));
    if (isBlock) this.#blocks.set(issuer, {});
    else if (said === "foreign") this.#permits.set(issuer, { said: "granted", attempt: FOREIGN_ATTEMPT });
    else this.#permits.set(issuer, { said });
  }

  async #issue(name: string, granted: boolean, ago: number): Promise<void> {
    const attempt = this.#attempts.at(-1 - ago)?.id;
    if (attempt === undefined) return;
    const answer = granted
      ? ({ verdict: "granted", reason: "ok", permit: { safe_qty: 0.5, exchange_position_amt: -1 } } as const)
      : ({ verdict: "denied", reason: "no_position", context: {} } as const);
    const issued = await this.#issuers.get(name)?.issue({ planId: PLAN, symbol: SYMBOL, attempt }, answer);
    if (issued?.kind === "granted") this.#permits.set(name, { said: "granted", attempt });
    if (issued?.kind !== "denied") return;
    if (name === "governor") this.#blocks.set(name, { attempt });
    else this.#permits.set(name, { said: "denied", attempt });
  }

  /** The model's verdict: a reason, or `ok`, or `waiting`. */
  #verdict({ id, time }: Attempt): string {
    const ours = <T extends { attempt?: string }>(one: T | undefined) =>
      one !== undefined && (one.attempt ?? id) === id ? one : undefined;
    const said = REQUIRED.map((name) => {
      const isBlocked = ours(this.#blocks.get(name)) !== undefined;
      return { name, said: isBlocked ? "denied" : ours(this.#permits.get(name))?.said };
    });
    const halt = this.#halt();
    if (halt !== undefined) return halt;
    const first = (what: Said) => said.find((one) => one.said === what)?.name;
    const [denied, malformed] = [first("denied"), first("malformed")];
    if (denied !== undefined) return `${denied}_permit_denied`;
    if (malformed !== undefined) return `invalid_${malformed}_permit_format`;
    const lacking = said.filter((one) => one.said === undefined).map(({ name }) => name);
    if (lacking.length > 0 && time === "early") return "waiting";
    if (lacking.length === REQUIRED.length) return "missing_both";
    if (lacking.length > 0) return `missing_${lacking.join("_")}`;
    return time === "late" ? "deadline_passed" : "ok";
  }

  async #spend(): Promise<void> {
    const consume = () => this.#consume(PLAN, SYMBOL);
    const attempt = this.#waiting;
    if (attempt === undefined) {
      const consumed = await this.#unchanged(consume);
      assert.partialDeepStrictEqual(
        consumed,
        this.#recorded ? { kind: "verdict", replayed: true } : { kind: "gone" },
      );
      return;
    }
    const expected = this.#verdict(attempt);
    if (expected === "waiting") {
      assert.equal((await this.#unchanged(consume)).kind, "waiting");
      return;
    }
    // Two concurrent callers: one reaches the verdict, the other replays it.
    const both = await Promise.all([consume(), consume()]);
    const verdict = expected === "ok" ? { kind: "ok" } : { kind: "blocked", reason: expected };
    assert.partialDeepStrictEqual(both, [
      { kind: "verdict", replayed: false, verdict },
      { kind: "verdict", replayed: true, verdict },
    ]);
    assert.equal(await this.#redis.exists(...REQUIRED.map((name) => keys.permit(name, PLAN))), 0);
    this.#permits.clear();
    this.#waiting = undefined;
    const forAnOrder = expected === "ok" && attempt.mode === "paper";
    this.#ends.set(attempt.id, forAnOrder ? "executed" : "result");
    if (forAnOrder) this.#ordering = attempt;
  }

  async #passTime(time: "due" | "late"): Promise<void> {
    if (this.#waiting === undefined || this.#waiting.time === "late") return;
    this.#waiting.time = time;
    // Redis's clock cannot be moved here, so the deadline is. The grace is longer than any test.
    const deadline = Date.now() - (time === "due" ? 1 : GRACE_MS + 1);
    await this.#redis.hset(keys.plan(PLAN), "deadline_ms", deadline);
  }

  /** The executor's part, for an order that the last handover may have caused. */
  async #settle(state: string, claimed: boolean): Promise<void> {
    if (this.#ordering === undefined) return;
    const { id } = this.#ordering;
    const attempt_no = (await this.#rig.entries(keys.streams.execute)).find(
      ({ attempt }) => attempt === id,
    )?.["attempt_no"];
    await this.#redis.hset(keys.order(PLAN), { state, attempt: id, attempt_no: attempt_no ?? "" });
    if (claimed) await this.#redis.hset(keys.order(PLAN), "client_order_id", `qp-${PLAN}-${attempt_no}`);
    this.#ordering = undefined;
    this.#claimed ||= claimed;
  }

  #halt(): string | undefined {
    return ["kill_switch_active", "disarmed"].find((halt) => this.#halts.has(halt));
  }
}
