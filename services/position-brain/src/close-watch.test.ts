/** lua/ledger/want_close by its wrapper, and which plans and positions make the note. */
import { EventEmitter } from "node:events";
import { createKeys, planEntry, TTL_SEC } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import type { IssuerHandlers } from "@quantum/issuer";
import { fieldsOf } from "@quantum/streams";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { CloseWatch, unfulfilledMs } from "./close-watch.ts";
import type { Booker } from "./booker.ts";
import type { PairRefresh } from "./refresh.ts";
import { onePartition, planFields } from "./rig.fixture.ts";

const keys = createKeys();
const SYMBOL = "BTCUSDT";
const WANTED = keys.closeWanted(SYMBOL);
const { redis } = await useRedis();

let handlers: IssuerHandlers;
let refresh: PairRefresh;
let errors: Error[];
beforeEach(async () => {
  await redis.flushall();
  await redis.hset(keys.snapshot(SYMBOL), "position_amt", "0.062");
  ({ handlers, refresh } = replica());
});

/** Another process, which remembers nothing of the first one. */
function replica() {
  errors = [];
  const watch = new CloseWatch({
    partitions: onePartition(redis),
    allowlist: new Set([SYMBOL]),
    onError: (error) => void errors.push(error),
  });
  const emitters = {
    handlers: new EventEmitter() as IssuerHandlers,
    refresh: new EventEmitter() as PairRefresh,
    booker: new EventEmitter() as Booker,
  };
  watch.follow(emitters.handlers, emitters.refresh, emitters.booker);
  return { ...emitters, watch };
}

function planOf(over: Record<string, string> = {}) {
  return planEntry.parse(fieldsOf(planFields("0123456789abcdef", SYMBOL, over)));
}
/** What was sent before this on the connection has been done. */
const wanted = async () => redis.get(WANTED);
const answer = (over: Record<string, string> = {}, reason?: string, from = handlers) => {
  const issued = reason === undefined ? { kind: "granted" } : { kind: "denied", reason };
  from.emit("answered", { plan: planOf(over), issued } as never);
  return settled();
};
const end = (over: Record<string, string>, from = handlers) => {
  from.emit("unasked", { plan: planOf(over) });
  return settled();
};
const store = (positionAmt: string, from = refresh) => {
  from.emit("stored", { symbol: SYMBOL, pair: { snapshot: { positionAmt } } } as never);
  return settled();
};
/** Scripts leave at the end of the turn, and Redis answers in order. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await redis.ping();
}

describe("lua/ledger/want_close", () => {
  it("WANTED: keeps the first proposal's time, whatever comes after it, in any process", async () => {
    await answer();
    const first = await wanted();
    expect(Number(first)).toBeCloseTo(Date.now(), -3);
    expect(await redis.ttl(WANTED)).toBeCloseTo(TTL_SEC.closeWanted, -1);
    await redis.set(WANTED, "1000");
    await redis.script("FLUSH");
    await answer({}, "no_exchange_snapshot", replica().handlers);
    expect(await wanted()).toBe("1000");
  });

  it("WANTED: begins again with the first proposal after an execution of ours", async () => {
    await redis.set(WANTED, "1000");
    await redis.hset(keys.ledger(SYMBOL), "last_executed_at_ms", "999");
    await answer();
    expect(await wanted()).toBe("1000");
    await redis.hset(keys.ledger(SYMBOL), "last_executed_at_ms", "1000");
    await answer({}, undefined, replica().handlers);
    expect(Number(await wanted())).toBeCloseTo(Date.now(), -3);
  });

  it.each<[string, () => Promise<unknown>]>([
    ["no number", () => redis.set(WANTED, "soon")],
    ["in the future: Redis's clock has stepped back", () => redis.set(WANTED, Date.now() + 3_600_000)],
    ["of the wrong type", () => redis.lpush(WANTED, "1")],
  ])("WANTED: replaces a time that is %s", async (_, arrange) => {
    await arrange();
    await answer();
    expect(Number(await wanted())).toBeCloseTo(Date.now(), -3);
  });

  it("WANTED: a position that is not known may be open", async () => {
    await redis.del(keys.snapshot(SYMBOL));
    await answer();
    expect(await wanted()).not.toBeNull();
  });

  it("OVER: a flat position leaves nothing to close", async () => {
    for (const amount of ["0", "0.000", "-0.0"]) {
      await redis.set(WANTED, "1000");
      await redis.hset(keys.snapshot(SYMBOL), "position_amt", amount);
      await answer({}, undefined, replica().handlers);
      expect(await redis.exists(WANTED)).toBe(0);
    }
  });

  it.each([keys.snapshot(SYMBOL), keys.ledger(SYMBOL)])(
    "changes nothing while %s is of the wrong type, and is asked again",
    async (key) => {
      await redis.del(key);
      await redis.set(key, "a string");
      await answer();
      await vi.waitFor(() => expect(errors).toHaveLength(1));
      expect(await redis.exists(WANTED)).toBe(0);
      await redis.del(key);
      await answer();
      expect(await redis.exists(WANTED)).toBe(1);
    },
  );
});

describe("a close is wanted", () => {
  it.each<[string, () => Promise<void>]>([
    ["waits for permits", () => answer()],
    ["is denied", () => answer({}, "order_unresolved")],
    ["is stopped by the kill switch", () => end({ decision: "BLOCKED", reason_codes: "kill_switch_active" })],
    ["cannot be judged", () => end({ decision: "ERROR", reason_codes: "kill_score_invalid" })],
  ])("by a plan to close that %s", async (_, happen) => {
    await happen();
    expect(await redis.exists(WANTED)).toBe(1);
  });

  it.each<[string, () => Promise<void>]>([
    ["is one of a dry run", () => answer({ mode: "dry_run" })],
    ["is of a symbol that is not allowed", () => answer({ symbol: "DOGEUSDT" }, "not_in_allowlist")],
    ["was proposed long ago", () => end({ decision: "SKIP", reason_codes: "proposal_stale" })],
    ["is not understood", () => end({ action: "PARTIAL_80", decision: "ERROR" })],
  ])("or not, as before, by a plan that %s", async (_, happen) => {
    await happen();
    expect(await redis.keys("*close_wanted*")).toEqual([]);
    await redis.set(WANTED, "1000");
    await happen();
    expect(await wanted()).toBe("1000");
  });

  it.each<[string, () => Promise<void>]>([
    ["a plan to hold", () => end({ action: "HOLD", decision: "SKIP", reason_codes: "action_hold" })],
    ["another proposal of the Python services", () => answer({ action: "UPDATE_SL" })],
    ["a position that no order can close", () => answer({}, "dust")],
    ["a position that is flat", () => store("0.000")],
  ])("no more, after %s", async (_, happen) => {
    await answer();
    await happen();
    expect(await redis.exists(WANTED)).toBe(0);
  });

  it("no more once the position is flat, although another process noted a proposal in between", async () => {
    await store("0.000");
    await store("0.062");
    await answer({}, undefined, replica().handlers);
    await store("0.000");
    expect(await redis.exists(WANTED)).toBe(0);
  });

  it("and is noted once a second, however many plans come", async () => {
    await answer();
    await redis.del(WANTED);
    await answer();
    expect(await redis.exists(WANTED)).toBe(0);
  });
});

describe("an unfulfilled close", () => {
  const pairOf = (positionAmt: string | undefined, executedMs?: number) =>
    ({
      snapshot: positionAmt === undefined ? undefined : { positionAmt },
      ledger: { lastExecution: executedMs === undefined ? undefined : { atMs: executedMs } },
    }) as unknown as Parameters<typeof unfulfilledMs>[1];

  it.each([
    ["is as old as the first proposal", 1_000, pairOf("-0.5"), 4_000],
    ["is as old with an execution before it", 1_000, pairOf("0.5", 999), 4_000],
    ["is one if the position is not known", 1_000, pairOf(undefined), 4_000],
    ["is none after an execution", 1_000, pairOf("0.5", 1_000), 0],
    ["is none of a flat position", 1_000, pairOf("0.000"), 0],
    ["is none without a proposal", undefined, pairOf("0.5"), 0],
    ["has no negative age", 9_000, pairOf("0.5"), 0],
  ])("%s", (_, sinceMs, pair, ms) => {
    expect(unfulfilledMs(sinceMs, pair, 5_000)).toBe(ms);
  });

  it("is read from Redis; what is no time is none", async () => {
    const { watch } = replica();
    expect(await watch.wantedSinceMs(SYMBOL)).toBeUndefined();
    await redis.set(WANTED, "1000");
    expect(await watch.wantedSinceMs(SYMBOL)).toBe(1_000);
    await redis.set(WANTED, "soon");
    expect(await watch.wantedSinceMs(SYMBOL)).toBeUndefined();
    await redis.del(WANTED);
    await redis.lpush(WANTED, "1");
    expect(await watch.wantedSinceMs(SYMBOL)).toBeUndefined();
  });
});
