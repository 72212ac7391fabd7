/**
 * An executor by script, with an account: it answers operators' plans as a test says. For what the real one and exchange-sim
 * do not do on command; what the real one does is tested with it (exit.test.ts).
 */
import { createKeys, type ExitReport, parseSignedPermit, type PermitClaims } from "@quantum/contract";
import { connectForBlocking, disconnect, type RedisClient } from "@quantum/redis";
import { fieldsOf } from "@quantum/streams";
import { Big } from "big.js";

const keys = createKeys();
const BLOCK_MS = 1_000;

/** How a plan ends; without one, as much is executed as was signed. */
export interface Ending {
  outcome?: "EXECUTED" | "REJECTED" | "NOT_PLACED";
  reason?: string;
  detail?: string;
  executedQty?: string;
  /** As the venue says; without it, what follows. */
  left?: string;
}

export class ScriptedExecutor {
  readonly #redis: RedisClient;
  readonly #reader: RedisClient;
  readonly #positions: Map<string, string>;
  #running: Promise<void> | undefined;
  /** What the operator signed, in the order of the plans. */
  readonly signed: PermitClaims[] = [];
  /** Resting orders, as a drill reports them. */
  cancels: ExitReport["cancels"] = [];
  hindrances: string[] = [];
  /** How often the account cannot be read before it can. */
  unreadTimes = 0;
  /** Says how a plan of a symbol ends. */
  decide: (claims: PermitClaims) => Ending | undefined = () => undefined;

  constructor(url: string, redis: RedisClient, positions: Readonly<Record<string, string>>) {
    this.#redis = redis;
    this.#reader = connectForBlocking({ url, name: "executor:blocking", onError: () => undefined });
    this.#positions = new Map(Object.entries(positions));
  }

  set(symbol: string, amt: string): void {
    this.#positions.set(symbol, amt);
  }

  get position(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#positions);
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    await disconnect(this.#reader);
    await this.#running;
  }

  async #run(): Promise<void> {
    let last = "0-0";
    for (;;) {
      const reply = await this.#reader
        .xread("BLOCK", BLOCK_MS, "STREAMS", keys.streams.execute, last)
        .catch(() => undefined);
      if (reply === undefined) return;
      for (const [, entries] of reply ?? []) {
        for (const [id, flat] of entries) {
          last = id;
          await this.#handle(fieldsOf(flat));
        }
      }
    }
  }

  async #handle({ signed = "", plan_id: planId = "" }: Record<string, string>): Promise<void> {
    const read = parseSignedPermit(signed);
    if ("flaw" in read) throw new Error(`no signed text: ${read.flaw}`);
    const { claims } = read;
    this.signed.push(claims);
    if (claims.class === "drill") return this.#drill(planId, claims);
    const { symbol, safe_qty: quantity } = claims;
    const before = Big(this.#positions.get(symbol) ?? "0");
    const plain: Ending = before.eq(0) ? { outcome: "NOT_PLACED", reason: "exit_flat" } : {};
    const ending = this.decide(claims) ?? plain;
    const { outcome = "EXECUTED", reason = "", detail = "" } = ending;
    const executed = Big(ending.executedQty ?? (outcome === "EXECUTED" ? quantity : "0"));
    const after = before.gt(0) ? before.minus(executed) : before.plus(executed);
    const left = ending.left ?? after.toFixed();
    if (left !== "") this.#positions.set(symbol, left);
    const executedQty = executed.eq(0) ? "" : executed.toFixed();
    const result = { state: outcome, reason, detail, executed_qty: executedQty, exit_left: left };
    await this.#redis.hset(keys.plan(planId), result);
  }

  async #drill(planId: string, claims: PermitClaims): Promise<void> {
    const refusal = this.decide(claims);
    const complete = this.unreadTimes === 0;
    if (!complete) this.unreadTimes -= 1;
    const positions = [...this.#positions]
      .filter(([, amt]) => complete && Number(amt) !== 0)
      .map(([symbol, amt]): ExitReport["positions"][number] => {
        const side = Number(amt) > 0 ? "SELL" : "BUY";
        return { symbol, amt, side, steps: [Big(amt).abs().toFixed()], dust: "", unreadable: false };
      });
    const hindrances = complete ? this.hindrances : ["the positions cannot be read: HTTP 503"];
    const report = { at_ms: Date.now(), complete, positions, cancels: this.cancels, hindrances };
    const { reason = "exit_drill", detail = "" } = refusal ?? {};
    await this.#redis.hset(keys.plan(planId), {
      state: "NOT_PLACED",
      reason,
      detail,
      ...(refusal === undefined && { exit_report: JSON.stringify(report) }),
    });
  }
}
