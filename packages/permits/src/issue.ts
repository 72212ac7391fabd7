/**
 * An issuer's side of the permit protocol; the typed wrapper of `lua/permits/issue.lua` and `settle_reservation.lua`.
 */
import { dumpPythonJson, type Keys, type PythonJson, TTL_SEC, verdictField } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import { balance } from "./balance.ts";
import { haltKeys } from "./keys.ts";

const runIssue = bindScript("permits/issue");

const runSettle = bindScript("permits/settle_reservation");

/** Integers in units of 1e-8, of any size. */
export type Amounts = Readonly<Record<string, bigint>>;

/** A limit, checked in the same step that reserves. */
export type Limit =
  | { kind: "count"; reason: string; window_ms: number; max: number }
  | { kind: "day"; reason: string; amount: string; max: bigint }
  /**
   * `as_of`: the `releases` field of the totals when `max` was computed. If a reservation whose order may have filled has
   * ended since, the result is a conflict.
   */
  | { kind: "open"; amount: string; max: bigint; as_of?: string };

export interface PlanAttempt {
  planId: string;
  symbol: string;
  /** Id of the `apply.plan` entry being answered. */
  attempt: string;
}

export type Answer =
  | {
      verdict: "granted";
      reason: string;
      /** The issuer's own fields of the permit. Symbol and verdict are added here, created_at in Redis. */
      permit: Readonly<Record<string, PythonJson>>;
      reservation?: { amounts: Amounts; limits: readonly Limit[] };
    }
  | { verdict: "denied"; reason: string; context: Readonly<Record<string, PythonJson>> };

export type Issued =
  | { kind: "granted" }
  /** `byOrders`: executed orders alone exhaust a limit, without any open reservation. */
  | { kind: "denied"; reason: string; byOrders?: true }
  /** Others have reserved so much (1e-8) that the quantity is not available. Nothing was written: decide again. */
  | { kind: "conflict"; reserved: bigint }
  /** Answered before, or ended without an answer from us. The entry was only acknowledged. */
  | { kind: "replayed" }
  | { kind: "ended" };

export interface IssuerOptions {
  redis: RedisClient;
  keys: Keys;
  issuer: string;
  /** Consumer group on `apply.plan` and `apply.result`. */
  group: string;
  permitTtlSec: number;
  denialTtlSec: number;
  /**
   * When a reservation without a result expires, in ms; none expires while the symbol has an unsettled order. Must
   * exceed permit TTL + execute TTL, or a reservation could expire while its order can still be executed.
   */
  reserveTtlMs: number;
}

export type Issuer = ReturnType<typeof createIssuer>;

export function createIssuer(options: IssuerOptions) {
  const { redis, keys, issuer, group } = options;
  const reservations = (symbol: string) => keys.reservations(issuer, symbol);

  return {
    /** Answers one attempt and acknowledges its plan entry, in one step. Safe to repeat. */
    async issue({ planId, symbol, attempt }: PlanAttempt, answer: Answer): Promise<Issued> {
      const limits = answer.verdict === "granted" ? (answer.reservation?.limits ?? []) : [];
      const permit = keys.permit(issuer, planId);
      const granted = answer.verdict === "granted" ? answer : undefined;
      const call = {
        keys: {
          plan: keys.plan(planId),
          permit,
          // The governor must not write a denial to its permit key, because the Python apply-layer takes any value
          // there as a grant.
          denial: verdictField(issuer) === "granted" ? keys.block(issuer, planId) : permit,
          spent: keys.spent(planId),
          ...haltKeys(redis, keys),
          permits: keys.streams.permit,
          plans: keys.streams.plan,
          ...reservations(symbol),
          unsettled: keys.unsettled(symbol),
          booked: keys.booked(issuer, planId),
        },
        args: {
          plan_id: planId,
          symbol,
          issuer,
          attempt,
          group,
          verdict: answer.verdict,
          reason: answer.reason,
          permit_json:
            granted === undefined
              ? ""
              : withoutBrace({ [verdictField(issuer)]: true, symbol, ...granted.permit }),
          context_json: answer.verdict === "denied" ? dumpPythonJson(answer.context) : "{}",
          permit_sec: String(options.permitTtlSec),
          denial_sec: String(options.denialTtlSec),
          amounts: granted?.reservation === undefined ? "" : asJson(granted.reservation.amounts),
          limits: granted?.reservation === undefined ? "" : asJson(granted.reservation.limits),
          reserve_ms: String(options.reserveTtlMs),
        },
      };
      let [status, detail, byOrders] = await runIssue(redis, call);
      if (status === "UNBALANCED") {
        // Another program has changed the sums, or they were lost. Rebuild them before any limit is checked against
        // them.
        await balance(
          options,
          symbol,
          limits.some(({ kind }) => kind === "count"),
        );
        [status, detail, byOrders] = await runIssue(redis, call);
      }
      switch (status) {
        case "GRANTED":
          return { kind: "granted" };
        case "DENIED":
          return { kind: "denied", reason: detail ?? "", ...(byOrders === "1" && { byOrders: true }) };
        case "CONFLICT":
          return { kind: "conflict", reserved: BigInt(detail ?? 0) };
        case "REPLAYED":
          return { kind: "replayed" };
        case "ENDED":
          return { kind: "ended" };
        default:
          throw new Error(`permits/issue answered ${String(status)}`);
      }
    },

    /**
     * Settles the attempt's reservation with its result and acknowledges the result entry, in one step.
     * @param attempt empty if the result names none (a Python one): then the plan's current attempt
     * @param placed the plan has an order or may have one, so its id gets no further permit
     * @param executed what was actually executed, undefined if there was no order; a missing amount is charged as
     * reserved
     * @returns false if this result had been settled before
     */
    async settle(
      { planId, symbol, attempt, entryId, placed }: PlanAttempt & { entryId: string; placed: boolean },
      executed?: { amounts: Amounts; atMs: number },
    ): Promise<boolean> {
      // If the plan has a record, the record shows that it has ended.
      const fate = placed ? "executed" : attempt === "" ? "ended" : "";
      const [status] = await runSettle(redis, {
        keys: {
          results: keys.streams.result,
          ...reservations(symbol),
          booked: keys.booked(issuer, planId),
        },
        args: {
          group,
          entry_id: entryId,
          attempt: attempt === "" ? planId : attempt,
          amounts: executed === undefined ? "" : asJson(executed.amounts),
          executed_ms: String(executed?.atMs ?? 0),
          fate,
          // A plan without a record is not answered once it is older than a permit.
          fate_sec: String(placed ? TTL_SEC.booked : options.permitTtlSec),
        },
      });
      return status === "SETTLED";
    },

    /** The symbol's reserved amount that is not yet settled, in 1e-8. A hint for deciding: `issue` checks it again. */
    async reserved(symbol: string, amount: string): Promise<bigint> {
      return BigInt((await redis.hget(reservations(symbol).totals, `reserved:${amount}`)) ?? 0);
    },
  };
}

/** Writes amounts as text, because JSON numbers are read as doubles. */
function asJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? part.toString() : part));
}

function withoutBrace(body: Record<string, PythonJson>): string {
  return dumpPythonJson(body).slice(0, -1);
}
