/** The number of partitions is changed on a real Redis: what is moved where, and back, and why not. */
import {
  createIntakeKeys,
  createKeys,
  keyIn,
  type Keys,
  locate,
  partitionOf,
  staged,
  unstaged,
} from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { connectForCommands, disconnect } from "@quantum/redis";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { add, BY, planIdOf } from "../access.fixture.ts";
import { withAccess } from "../access.ts";
import { pageDeadLetters, requeueLetters } from "../dead-letters.ts";
import { findPlan } from "../plan-history.ts";
import { kindOf } from "./kinds.ts";
import { DAY, everything, killedAt, seed, SYMBOLS } from "./migrate.fixture.ts";
import { lookBefore, migrate } from "./migrate.ts";
import { stateOf, textOf } from "./state.ts";

const wire = createKeys();
const { redis, server } = await useRedis();
const access = { redisOf: () => redis };
const to = (count: number) => migrate(access, { to: count, by: BY });
beforeEach(async () => {
  await redis.flushall();
});

const idsOf = async (stream: string) => (await redis.xrange(stream, "-", "+")).map(([id]) => id);

describe("a change of the number of partitions", () => {
  it("moves what is known of a symbol into its partition, and back as it was", async () => {
    await seed(redis);
    const before = await everything(redis);
    await to(3);
    expect(await redis.get(wire.partitions)).toBe("3");
    for (const [n, symbol] of SYMBOLS.entries()) {
      const keys = createKeys({ partition: n });
      expect(await redis.hget(keys.order(planIdOf(n)), "symbol")).toBe(symbol);
      expect(await redis.get(keys.spent(planIdOf(n)))).toContain(symbol);
      expect(await redis.pttl(keys.spent(planIdOf(n)))).toBeGreaterThan(400_000_000);
      expect(await redis.hgetall(keys.absentClaims)).toEqual({ [planIdOf(20 + n)]: `{"n":${n}}` });
      expect(await redis.smembers(keys.orderSymbols)).toEqual([symbol]);
      expect(await redis.hget(keys.reservations("governor", symbol).totals, "charged:qty")).toBe(String(n));
      const entries = await redis.xrange(keys.streams.result, "-", "+");
      expect(entries.map(([, fields]) => fields)).toEqual([["plan_id", planIdOf(n), "symbol", symbol]]);
      expect(await redis.xlen(keys.streams.permit)).toBe(1);
      // What was read is not read again.
      expect(await redis.xreadgroup("GROUP", "readers", "c", "STREAMS", keys.streams.result, ">")).toBeNull();
      expect([await redis.get(keys.killSwitch), await redis.get(keys.disarmOf(DAY))]).toEqual(["1", "{}"]);
      expect(await redis.get(keys.orderEpoch)).toBe("abc 5");
    }
    const first = createKeys({ partition: 0 });
    expect(await redis.hget(first.exit, "keys")).toBe("2");
    expect(await redis.xlen(first.streams.deadLetter)).toBe(1);
    expect(await redis.xlen(createIntakeKeys(3).streams.deadLetter)).toBe(1);
    const left = [wire.killSwitch, wire.partitions, wire.proposal("BTCUSDT"), "quantum:of:somebody"];
    expect((await redis.keys("*")).filter((key) => locate(key).where === undefined).toSorted()).toEqual(
      left.toSorted(),
    );
    await withAccess({ url: server.url, name: "test" }, async (opened) => {
      expect((await findPlan(opened, planIdOf(2)))?.order.state).toBe("EXECUTED");
    });

    await to(1);
    expect(await everything(redis)).toEqual(before);
  });

  it("from several to several is the same as from one, and back as it was", async () => {
    await seed(redis);
    await to(6);
    const six = await everything(redis);
    await to(1);
    await to(3);
    const three = await everything(redis);
    await to(6);
    expect(await everything(redis)).toEqual(six);
    const places = [...six.keys()].flatMap((key) => {
      const { where, wireName } = locate(key);
      const kind = kindOf(wireName);
      return kind?.kind === "symbol" ? [[key, where, partitionOf(kind.symbol, 6)]] : [];
    });
    expect(places.length).toBeGreaterThan(SYMBOLS.length);
    expect(places.filter(([, where, due]) => where !== due)).toEqual([]);
    await to(3);
    expect(await everything(redis)).toEqual(three);
  });

  it("forgets the copies of one whose beginning was lost", async () => {
    await seed(redis);
    await redis.set(staged(createKeys({ partition: 0 }).ledger("TRXUSDT")), "of another day");
    await to(3);
    expect(await redis.hget(createKeys({ partition: 0 }).ledger("TRXUSDT"), "last_known_amt")).toBe("0.5");
    expect(await redis.keys("quantum:migrating:*")).toEqual([]);
  });

  it("takes a dead letter along with its entry, for which it can be requeued", async () => {
    await redis.set(wire.partitions, "3");
    for (const n of [0, 1]) {
      const { streams } = createKeys({ partition: n });
      const symbol = SYMBOLS[n] ?? "";
      await add(redis, streams.result, { symbol, n: String(n) }, "5-0");
      await redis.xgroup("CREATE", streams.result, "readers", "$");
      const letter = { stream: streams.result, group: "readers", entry_id: "5-0", reason: "bad" };
      await add(redis, streams.deadLetter, letter, "7-0");
    }
    // Both get into one stream, where the second has another id, and then into places of their own.
    for (const count of [2, 1, 6]) {
      await to(count);
      await withAccess({ url: server.url, name: "test" }, async (access) => {
        const { rows } = await pageDeadLetters(access, {});
        const told = rows.map(async ({ fields: { stream = "", entry_id: id = "" } }) => {
          const [entry] = await redis.xrange(stream, id, id);
          return entry?.[1].at(-1);
        });
        expect(new Set(await Promise.all(told))).toEqual(new Set(["0", "1"]));
      });
    }
    await withAccess({ url: server.url, name: "test" }, async (access) => {
      const ids = (await pageDeadLetters(access, {})).rows.map(({ id }) => id);
      expect((await requeueLetters(access, ids, BY)).map(({ done }) => done)).toEqual([true, true]);
    });
    const { streams } = createKeys({ partition: partitionOf(SYMBOLS[1] ?? "", 6) });
    expect(await redis.xpending(streams.result, "readers")).toEqual([1, "5-1", "5-1", [["permitctl", "1"]]]);
  });

  it("keeps the later ids of a merged stream, where two partitions have given the same", async () => {
    await redis.set(wire.partitions, "3");
    for (const n of [0, 1, 2])
      await add(
        redis,
        createKeys({ partition: n }).streams.result,
        { symbol: SYMBOLS[n] ?? "", n: String(n) },
        "5-0",
      );
    await to(1);
    const entries = await redis.xrange(wire.streams.result, "-", "+");
    expect(entries.map(([id, fields]) => [id, fields.at(-1)])).toEqual([
      ["5-0", "0"],
      ["5-1", "1"],
      ["5-2", "2"],
    ]);
  });

  it("leaves changes of operators that nobody has read yet, its own too, to be read", async () => {
    const unread = async (keys: Keys) => {
      const { operatorAudit } = keys.streams;
      const read = await redis.xreadgroup("GROUP", "p33", "c", "STREAMS", operatorAudit, ">");
      const [[, entries]] = (read ?? [["", []]]) as [[string, [string, string[]][]]];
      return entries.map(([, fields]) => fields[fields.indexOf("action") + 1]);
    };
    await redis.set(wire.partitions, "3");
    const three = [0, 1, 2].map((partition) => createKeys({ partition }));
    for (const [n, { streams }] of three.entries()) {
      await add(redis, streams.operatorAudit, { action: `read.${n}` }, `${10 + n}-0`);
      await redis.xgroup("CREATE", streams.operatorAudit, "p33", "$");
      if (n > 0) await add(redis, streams.operatorAudit, { action: `unread.${n}` }, `${20 + n}-0`);
    }
    await to(1);
    const own = "partitions.migrate";
    expect(await unread(wire)).toEqual(["unread.1", "unread.2", own]);
    await redis.xack(wire.streams.operatorAudit, "p33", ...(await idsOf(wire.streams.operatorAudit)));
    await to(3);
    expect(await Promise.all(three.map(unread))).toEqual([[own], [], []]);
  });

  it("to one keeps a halt of any partition, and no epoch that is not that of all", async () => {
    await redis.set(wire.partitions, "3");
    await redis.set(createKeys({ partition: 2 }).killSwitch, "yes");
    await redis.set(wire.killSwitch, "off");
    await redis.set(createKeys({ partition: 1 }).disarm, "{}");
    await redis.set(createKeys({ partition: 1 }).orderEpoch, "abc 5");
    await redis.set(createKeys({ partition: 0 }).orderEpoch, "abd 5");
    await to(1);
    expect(await redis.mget(wire.killSwitch, wire.disarm, wire.orderEpoch)).toEqual(["yes", "{}", null]);
  });

  it("gives no partition an epoch that one of them has lost, and each of them a halt of any", async () => {
    await redis.set(wire.partitions, "3");
    for (const partition of [0, 1]) await redis.set(createKeys({ partition }).orderEpoch, "abc 5");
    await redis.set(createKeys({ partition: 2 }).killSwitch, "1");
    await to(2);
    const [first, second] = [createKeys({ partition: 0 }), createKeys({ partition: 1 })];
    expect(await redis.mget(first.orderEpoch, second.orderEpoch)).toEqual([null, null]);
    expect(await redis.mget(first.killSwitch, second.killSwitch)).toEqual(["1", "1"]);
  });
});

describe("nothing is changed", () => {
  const symbol = "BTCUSDT";
  it.each<[string, () => Promise<unknown>, string]>([
    ["while a plan waits", () => redis.zadd(wire.waiting(symbol), 1, planIdOf(1)), "plans wait"],
    [
      "while an order is not settled",
      () => redis.zadd(wire.unsettled(symbol), 1, planIdOf(1)),
      "not settled",
    ],
    ["while an order is in doubt", () => redis.sadd(wire.unknown(symbol), planIdOf(1)), "in doubt"],
    ["while an order is handed over", () => redis.hset(wire.handedOver, planIdOf(1), "[]"), "handed over"],
    [
      "soon after an executor ran",
      async () => redis.hset(wire.orderOwner, { seen_ms: Date.now() }),
      "was seen",
    ],
    [
      "while a group has not read all",
      async () => {
        await add(redis, wire.streams.result, { symbol });
        await redis.xgroup("CREATE", wire.streams.result, "readers", "0");
      },
      "has not read all of it",
    ],
    [
      "while an entry is pending",
      async () => {
        await add(redis, wire.streams.result, { symbol });
        await redis.xgroup("CREATE", wire.streams.result, "readers", "0");
        await redis.xreadgroup("GROUP", "readers", "c", "STREAMS", wire.streams.result, ">");
      },
      "are pending",
    ],
    [
      "if an order tells no symbol",
      () => redis.hset(wire.order(planIdOf(1)), { state: "SENT" }),
      "not tell their symbol",
    ],
    [
      "if spent permits tell no symbol",
      () => redis.set(wire.spent(planIdOf(1)), "OK 1-0 1 1"),
      "not tell their symbol",
    ],
    [
      "if the other layout has keys",
      () => redis.set(createKeys({ partition: 1 }).ledger(symbol), ""),
      "in the way",
    ],
    [
      "if there are keys of more partitions than there are",
      async () => {
        await redis.set(wire.partitions, "2");
        await redis.set(createKeys({ partition: 5 }).ledger(symbol), "");
      },
      "in the way",
    ],
    ["if the number cannot be read", () => redis.set(wire.partitions, "three"), "SET it"],
  ])("%s", async (_, make, why) => {
    await make();
    const before = await everything(redis);
    await expect(to(3)).rejects.toThrow(why);
    expect(await everything(redis)).toEqual(before);
  });

  it("while a service is connected", async () => {
    const service = connectForCommands({
      url: server.url,
      name: "governor@host:1:commands",
      onError: () => undefined,
    });
    await service.ping();
    await expect(to(3)).rejects.toThrow("services are connected: governor@host:1; stop them");
    await disconnect(service);
    expect((await lookBefore(access, 3)).state).toEqual({ kind: "settled", count: 1 });
  });

  it("where the number is that already, but for proposals that wait to be read", async () => {
    await add(redis, wire.streams.proposal, { symbol });
    await redis.xgroup("CREATE", wire.streams.proposal, "apply", "0");
    expect(await to(1)).toEqual({ copied: 0, deleted: 0 });
    await to(3);
    expect(await redis.xlen(wire.streams.proposal)).toBe(1);
  });
});

it("what is written while it copies is found: nothing is deleted, and it can be taken back", async () => {
  await seed(redis);
  const [changed, added] = [wire.ledger("BTCUSDT"), wire.ledger("SOLUSDT")];
  const copied = staged(keyIn(changed, partitionOf("BTCUSDT", 3)));
  let isWritten = false;
  const onStep = async (step: string) => {
    if (isWritten || !step.startsWith("copy ") || step === `copy ${copied}`) return;
    isWritten = true;
    await vi.waitFor(async () => expect(await redis.exists(copied)).toBe(1));
    for (const key of [changed, added]) await redis.hset(key, { last_known_amt: "9" });
  };
  const failed = migrate(access, { to: 3, by: BY, onStep });
  await expect(failed).rejects.toThrow(
    `these are not as they were: ${keyIn(changed, 1)}, ${added}; nothing was deleted`,
  );
  const before = [...(await everything(redis))].filter(
    ([key]) => unstaged(key) === key && key !== wire.partitions,
  );
  expect(await redis.get(wire.partitions)).toBe("1>3");
  await to(1);
  expect([...(await everything(redis))]).toEqual(before);
});

it("no service and no command starts in the midst", async () => {
  await seed(redis);
  expect(await killedAt(access, 5, 3)).toBe(true);
  expect(await redis.get(wire.partitions)).toBe("1>3");
  await expect(withAccess({ url: server.url, name: "test" }, async () => undefined)).rejects.toThrow(
    'says "1>3": a change of their number has not ended; run permitctl partitions migrate --to 3 again',
  );
});

describe("the keys of a layout", () => {
  /** Those of neither: publishers', the number itself, and one that never exists. */
  const OTHERS = new Set(["proposal", "partitions", "probe", "all", "jobs"]);

  it("all have a kind, in every place", () => {
    const examples = (keys: Keys) =>
      Object.entries(keys).flatMap(([name, built]): string[] => {
        if (OTHERS.has(name)) return [];
        if (name === "streams")
          return Object.values(keys.streams).filter((key) => key !== wire.streams.proposal);
        if (name === "reservations") return Object.values(keys.reservations("governor", "BTCUSDT"));
        if (typeof built === "string") return [built];
        const make = built as (...parts: string[]) => string;
        if (name === "disarmOf") return [make(DAY)];
        if (name === "exchangePause") return [make("orders")];
        if (name === "exchangeBudget") return [make("orders_1m", "main")];
        if (make.length === 2) return ["governor", "p33"].map((issuer) => make(issuer, planIdOf(1)));
        const isOfPlan = ["plan", "dedupe", "published", "spent", "order"].includes(name);
        return [make(isOfPlan ? planIdOf(1) : "BTCUSDT")];
      });
    const plain = examples(wire);
    for (const partition of [0, 63, "intake"] as const) {
      const tagged = examples(createKeys({ partition }));
      for (const [at, key] of tagged.entries()) {
        const { where, wireName } = locate(key);
        expect({ key, where, kind: kindOf(wireName) === undefined }).toEqual({
          key,
          where: partition,
          kind: false,
        });
        expect(keyIn(wireName, partition)).toBe(key);
        // In the wire's layout the mark is the kill switch itself.
        const isMark = key.endsWith("kill_switch_seen");
        expect(isMark || wireName === plain[at]).toBe(true);
      }
    }
    for (const key of plain) expect({ key, kind: kindOf(key) === undefined }).toEqual({ key, kind: false });
    expect(
      [wire.proposal("BTCUSDT"), wire.streams.proposal, wire.partitions, "quantum:jobs:x"].map(kindOf),
    ).toEqual([undefined, undefined, undefined, undefined]);
  });
});

it.each(["6", "1>6", "6>1 copied", "6>3 deleted"])("what the key is made to say is read: %s", (text) => {
  const state = stateOf(text);
  expect(state && textOf(state)).toBe(text);
});

it.each([
  [null, { kind: "settled", count: 1 }],
  ["6", { kind: "settled", count: 6 }],
  ["1>6", { kind: "copying", from: 1, to: 6 }],
  ["6>1 copied", { kind: "deleting", from: 6, to: 1 }],
  ["6>3 deleted", { kind: "naming", from: 6, to: 3 }],
  ["", undefined],
  ["0", undefined],
  ["65", undefined],
  ["1>65", undefined],
  ["1>2 ", undefined],
])("what the key says is read: %j", (text, state) => {
  expect(stateOf(text)).toEqual(state);
});
