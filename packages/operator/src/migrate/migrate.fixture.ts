/** What a day leaves in Redis, and what is left of it by a change of the number of partitions. */
import { createKeys, utcDay } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { expect } from "vitest";
import { add, BY, planIdOf } from "../access.fixture.ts";
import type { Access } from "../access.ts";
import { valueOf } from "./copy.ts";
import { migrate } from "./migrate.ts";

const wire = createKeys();
/** Of partitions 0, 1 and 2 of three. */
export const SYMBOLS = ["TRXUSDT", "BTCUSDT", "ETHUSDT"];
const ATTEMPT = "1769301008977-0";
export const DAY = utcDay(Date.now());

/** What a day leaves in one partition, once everything is stopped. */
export async function seed(redis: RedisClient): Promise<void> {
  for (const [n, symbol] of SYMBOLS.entries()) {
    const [executed, blocked, absent] = [n, 10 + n, 20 + n].map(planIdOf) as [string, string, string];
    await redis.hset(wire.order(executed), { state: "EXECUTED", symbol, attempt: ATTEMPT });
    await redis.pexpire(wire.order(executed), 600_000_000);
    await redis.set(
      wire.spent(executed),
      `OK ${ATTEMPT} 1 0.1 ${ATTEMPT} ${symbol}\n["a"]`,
      "PX",
      500_000_000,
    );
    await redis.set(wire.booked("p33", executed), "executed 1", "PX", 400_000_000);
    await redis.hset(wire.plan(blocked), { state: "BLOCKED", symbol });
    await redis.set(wire.dedupe(blocked), "1", "PX", 300_000_000);
    await redis.set(wire.published(blocked), "1");
    await redis.zadd(wire.absent(symbol), 5, absent);
    await redis.hset(wire.absentClaims, absent, `{"n":${n}}`);
    await redis.set(wire.spent(absent), `OK ${ATTEMPT} 1 0.1`);
    await redis.hset(wire.ledger(symbol), { last_known_amt: `${n}.5` });
    await redis.hset(wire.snapshot(symbol), { position_amt: `${n}.5` });
    await redis.set(wire.closeWanted(symbol), "5");
    const books = wire.reservations("governor", symbol);
    await redis.hset(books.totals, { day: "1", "charged:qty": String(n) });
    await redis.hset(books.charges, { [ATTEMPT]: "5 1" });
    await redis.zadd(books.executions, 5, ATTEMPT);
    await redis.sadd(wire.waitingSymbols, symbol);
    await redis.sadd(wire.orderSymbols, symbol);
    for (const [at, stream] of ["plan", "execute", "result"].entries())
      await add(redis, wire.streams[stream as "plan"], { plan_id: executed, symbol }, `${100 + n}-${at}`);
    await add(redis, wire.streams.permit, { plan_id: executed, issuer: "p33" }, `${100 + n}-0`);
  }
  // One that its plan alone tells of.
  await redis.set(wire.spent(planIdOf(10)), `DRY_RUN ${ATTEMPT} 1 0.1`);
  await add(redis, wire.streams.deadLetter, { stream: wire.streams.plan, entry_id: "1-0" }, "100-0");
  await add(redis, wire.streams.deadLetter, { stream: wire.streams.proposal, entry_id: "2-0" }, "101-0");
  await add(redis, wire.streams.operatorAudit, { action: "kill.on", target: "kill_switch" }, "100-0");
  await redis.xgroup("CREATE", wire.streams.operatorAudit, "p33", "$");
  for (const stream of [wire.streams.plan, wire.streams.permit, wire.streams.execute, wire.streams.result])
    await redis.xgroup("CREATE", stream, "readers", "$");
  await redis.set(wire.killSwitch, "1");
  await redis.set(wire.disarmOf(DAY), "{}", "PX", 100_000_000);
  await redis.set(wire.orderEpoch, "abc 5");
  await redis.hset(wire.exit, { keys: "2" });
  await redis.hset(wire.governorLimits, { qty_day: "1" });
  await redis.set(wire.exchangePause("orders"), "{}", "PX", 200_000_000);
  await redis.hset(wire.exchangeBudget("orders_10s", "main"), { window: "1" });
  await redis.hset(wire.proposal("BTCUSDT"), { symbol: "BTCUSDT" });
  await redis.set("quantum:of:somebody", "else");
}

/** All that is there, but for the audit of the changes themselves. */
export async function everything(redis: RedisClient): Promise<Map<string, string>> {
  const keys = (await redis.keys("*")).toSorted();
  const values = await Promise.all(keys.map((key) => valueOf(redis, key)));
  const told = keys.map((key, at): [string, string] => {
    const text = values[at] ?? "";
    if (!key.endsWith("operator.audit")) return [key, text];
    const [type, entries, ends] = JSON.parse(text) as [string, { fields: Record<string, string> }[], number];
    const others = entries.filter(({ fields }) => fields["action"] !== "partitions.migrate");
    return [key, JSON.stringify([type, others, ends])];
  });
  return new Map(told);
}

/** Fails at the `at`-th step. @returns false if there are fewer */
export async function killedAt(access: Pick<Access, "redisOf">, at: number, count: number): Promise<boolean> {
  let steps = 0;
  const onStep = () => {
    steps += 1;
    if (steps === at) throw new Error("killed");
  };
  try {
    await migrate(access, { to: count, by: BY, onStep });
    return false;
  } catch (error) {
    expect((error as Error).message).toBe("killed");
    return true;
  }
}

/** Seeds are new, and TTLs end at other times. */
export function timeless(all: ReadonlyMap<string, string>): Map<string, string> {
  return new Map(
    [...all].map(([key, text]) => {
      const [type, value, ends] = JSON.parse(text) as [string, unknown, number];
      return [key, JSON.stringify([type, value, ends === -1])];
    }),
  );
}
