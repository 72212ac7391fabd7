/** An order key with a missing or garbled field counts as lost: it is rebuilt, and nothing is sent. */
import { bindScript } from "@quantum/redis";
import { expect, it } from "vitest";
import { createEvents } from "./events.ts";
import { keepLateOrders } from "./late-orders.ts";
import {
  EXECUTED,
  keys,
  NOT_PLACED,
  ORDER,
  orders,
  PLAN,
  redis,
  requestOf,
  resultCount,
  SYMBOL,
  unchanged,
  useRedis,
} from "./order-scripts.fixture.ts";
import { createQueries } from "./queries.ts";

useRedis();

const index = bindScript("orders/index");
const queries = () => createQueries({ redis, keys, events: createEvents() });
const place = async () =>
  index(redis, {
    keys: {
      order: keys.order(PLAN),
      unsettled: keys.unsettled(SYMBOL),
      unknown: keys.unknown(SYMBOL),
      symbols: keys.orderSymbols,
      handed_over: keys.handedOver,
    },
    args: { plan_id: PLAN, symbol: SYMBOL },
  });

/** The fields of a claim that are needed to query its order. */
const NEEDED = [
  "plan_id",
  "symbol",
  "step",
  "attempt",
  "entry_id",
  "client_order_id",
  "side",
  "quantity",
  "claimed_at_ms",
  "venue_ms",
  "window_end_ms",
];
const MAY_HOLD_ANYTHING = new Set(["step", "client_order_id"]);
const DAMAGES = [
  ...NEEDED.map((field) => ["lacks", field] as const),
  ...["state", ...NEEDED]
    .filter((field) => !MAY_HOLD_ANYTHING.has(field))
    .map((field) => ["garbles", field] as const),
];

async function damage(how: "lacks" | "garbles", field: string): Promise<void> {
  if (how === "lacks") await redis.hdel(keys.order(PLAN), field);
  else await redis.hset(keys.order(PLAN), field, "?!");
}

it.each(DAMAGES)("a claim that %s %s is rebuilt as a question, and ends once", async (how, field) => {
  const request = await requestOf();
  expect(await orders.claim(request)).toMatchObject({ kind: "claimed" });
  await orders.doubt(ORDER, "answer_ambiguous");
  await damage(how, field);
  await unchanged(async () => expect(await place()).toEqual(["ABSENT"]));
  expect(await orders.claim(request)).toEqual({ kind: "held" });
  expect(await orders.doubt(ORDER, "claimed_before")).toBe(true);
  expect(await queries().read(PLAN)).toMatchObject({ ...ORDER, state: "UNKNOWN" });
  await orders.settle(ORDER, EXECUTED, "query");
  expect(await orders.claim(request)).toEqual({ kind: "ended" });
  expect(await resultCount()).toBe(1);
});

it.each([...DAMAGES, ["garbles", "settled_at_ms"] as const])(
  "one that ended as absent and %s %s is rebuilt from its copy",
  async (how, field) => {
    await orders.claim(await requestOf());
    await orders.doubt(ORDER, "answer_ambiguous");
    await orders.settle(ORDER, NOT_PLACED, "query");
    const before = await redis.hgetall(keys.order(PLAN));
    await damage(how, field);
    await keepLateOrders({ redis, keys, onError: () => undefined }, new Set([SYMBOL]));
    expect(await redis.hgetall(keys.order(PLAN))).toEqual(before);
    expect(await redis.ttl(keys.order(PLAN))).toBeGreaterThan(0);
    expect(await redis.zrange(keys.absent(SYMBOL), 0, -1)).toEqual([PLAN]);
  },
);

it("a claim that is not settled is replaced by no copy, even if it is damaged", async () => {
  await orders.claim(await requestOf());
  await redis.hset(keys.absentClaims, PLAN, JSON.stringify(["symbol", SYMBOL, "state", "UNPLACED"]));
  await damage("lacks", "attempt");
  const before = await redis.hgetall(keys.order(PLAN));
  await keepLateOrders({ redis, keys, onError: () => undefined }, new Set([SYMBOL]));
  expect(await redis.hgetall(keys.order(PLAN))).toEqual(before);
});
