/** What an operator sees and changes where symbols are divided into three partitions, on one server. */
import { createIntakeKeys, createKeys, partitionOf } from "@quantum/contract";
import { useRedis } from "@quantum/harness/vitest";
import { connectForCommands, disconnect } from "@quantum/redis";
import { isLater } from "@quantum/streams";
import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { add, BY, planIdOf } from "./access.fixture.ts";
import { type OpenAccess, withAccess } from "./access.ts";
import { pageAudit } from "./audit.ts";
import { endDoubt } from "./changes.ts";
import { dropLetters, pageDeadLetters, readDeadLetter, requeueLetters } from "./dead-letters.ts";
import { followEnds } from "./follow-ends.ts";
import { forceFound } from "./force-found.ts";
import { readGroups } from "./groups.ts";
import { readHolds } from "./holds.ts";
import { readOverview } from "./overview.ts";
import { findPlan, placeOfPlan } from "./plan-history.ts";
import {
  type Cursor,
  cursorOf,
  type Found,
  type From,
  inOrder,
  mergePages,
  type Page,
  textOf,
  within,
} from "./plan-order.ts";
import { rowOfVerdict } from "./plan-rows.ts";
import { searchPlans } from "./search-plans.ts";
import { viewSymbol } from "./view-symbol.ts";
import { WaitTally } from "./wait-tally.ts";
import { lastWait } from "./waits.ts";

const COUNT = 3;
/** Of partitions 0, 1 and 2. */
const SYMBOLS = ["TRXUSDT", "BTCUSDT", "ETHUSDT"] as const;
const wire = createKeys();
const keysOf = (partition: number) => createKeys({ partition });
const intake = createIntakeKeys(COUNT);

const { redis, server } = await useRedis();
const withThree = <T>(work: (access: OpenAccess) => Promise<T>) =>
  withAccess({ url: server.url, name: "test" }, work);
beforeEach(async () => {
  await redis.flushall();
  await redis.set(wire.partitions, COUNT);
});

it("the symbols are of three partitions", () => {
  expect(SYMBOLS.map((symbol) => partitionOf(symbol, COUNT))).toEqual([0, 1, 2]);
});

describe("an access", () => {
  it("has as many partitions as Redis says, and one if it says nothing", async () => {
    const names = (access: OpenAccess) => Promise.resolve(access.partitions.map(({ name }) => name));
    expect(await withThree(names)).toEqual(["q0", "q1", "q2"]);
    await redis.del(wire.partitions);
    expect(await withThree(names)).toEqual([""]);
  });

  it("has as many as are expected while Redis does not say", async () => {
    const gone = { url: "redis://127.0.0.1:1", name: "test" };
    const names = (access: OpenAccess) => Promise.resolve(access.partitions.map(({ name }) => name));
    expect(await withAccess({ ...gone, partitions: COUNT }, names)).toEqual(["q0", "q1", "q2"]);
    await expect(withAccess(gone, names)).rejects.toThrow("ECONNREFUSED");
    // What Redis says counts.
    expect(await withAccess({ url: server.url, name: "test", partitions: 2 }, names)).toHaveLength(COUNT);
  });

  it.each(["", "0", "65", "three", "-1", "1.5"])(
    "is refused if the number is %j, whatever is expected",
    async (text) => {
      await redis.set(wire.partitions, text);
      await expect(withThree(async () => undefined)).rejects.toThrow("it must be a number from 1 to 64");
      const expecting = { url: server.url, name: "test", partitions: COUNT };
      await expect(withAccess(expecting, async () => undefined)).rejects.toThrow("it must be a number");
    },
  );
});

async function result(partition: number, n: number, id: string, fields: Record<string, string> = {}) {
  const entry = { plan_id: planIdOf(n), symbol: SYMBOLS[partition] ?? "", outcome: "BLOCKED", ...fields };
  await add(redis, keysOf(partition).streams.result, entry, id);
}

describe("plans", () => {
  it("are one list, newest first, of which each page goes on behind the last", async () => {
    const waiting = async (partition: number, n: number, id: string) => {
      const keys = keysOf(partition);
      const symbol = SYMBOLS[partition] ?? "";
      await redis.sadd(keys.waitingSymbols, symbol);
      await redis.zadd(keys.waiting(symbol), 1, planIdOf(n));
      await redis.hset(keys.plan(planIdOf(n)), { state: "WAITING", symbol, attempt: id });
    };
    // Several with one id, also a plan that waits beside a result.
    await result(0, 1, "100-0");
    await result(1, 2, "100-0");
    await result(2, 6, "90-0");
    await result(2, 3, "100-0");
    await waiting(1, 4, "100-0");
    await waiting(2, 5, "100-0");
    await result(0, 7, "120-0");
    await waiting(0, 8, "110-0");
    const all = [7, 8, 1, 4, 2, 5, 3, 6].map(planIdOf);
    await withThree(async (access) => {
      for (let limit = 1; limit <= all.length + 1; limit += 1) {
        const found: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await searchPlans(access, { cursor }, { limit });
          found.push(...page.rows.map(({ planId }) => planId));
          cursor = page.next;
        } while (cursor !== undefined);
        expect({ limit, found }).toEqual({ limit, found: all });
      }
    });
  });

  it("are found by their id alone, by whatever is left of them", async () => {
    const { order, plan } = keysOf(2);
    await redis.hset(order(planIdOf(1)), { state: "EXECUTED", symbol: "ETHUSDT" });
    await redis.hset(plan(planIdOf(2)), { state: "BLOCKED", symbol: "ETHUSDT" });
    await result(1, 3, "100-0");
    await withThree(async (access) => {
      const found = await Promise.all([1, 2, 3, 4].map((n) => findPlan(access, planIdOf(n))));
      expect(found.map((history) => history?.record.state ?? history?.order.state)).toEqual([
        "EXECUTED",
        "BLOCKED",
        undefined,
        undefined,
      ]);
      expect(found[2]?.results.map(({ id }) => id)).toEqual(["100-0"]);
      expect(found[3]).toBeUndefined();
    });
  });

  it("are forced in their partition, with its audit, and never if an order of theirs exists", async () => {
    const keys = keysOf(1);
    await redis.set(keys.dedupe(planIdOf(1)), "1");
    await redis.hset(keys.plan(planIdOf(1)), { state: "BLOCKED" });
    await redis.set(keysOf(0).dedupe(planIdOf(2)), "1");
    await redis.hset(keys.order(planIdOf(2)), { state: "SENT", attempt: "1-1" });
    await withThree(async (access) => {
      expect(await forceFound(access, planIdOf(1))).toEqual({ kind: "cleared", state: "BLOCKED" });
      expect(await redis.exists(keys.dedupe(planIdOf(1)))).toBe(1);
      expect(await forceFound(access, planIdOf(1), BY)).toEqual({ kind: "cleared", state: "BLOCKED" });
      expect(await forceFound(access, planIdOf(2), BY)).toEqual({ kind: "order" });
      expect(await forceFound(access, planIdOf(3), BY)).toEqual({ kind: "free" });
    });
    expect(await redis.exists(keys.dedupe(planIdOf(1)))).toBe(0);
    expect(await redis.exists(keysOf(0).dedupe(planIdOf(2)))).toBe(1);
    expect(await Promise.all([0, 1, 2].map((n) => redis.xlen(keysOf(n).streams.operatorAudit)))).toEqual([
      0, 1, 0,
    ]);
  });

  it("that are in doubt are ended in their partition", async () => {
    const keys = keysOf(2);
    await redis.hset(keys.order(planIdOf(1)), { state: "UNKNOWN", quantity: "1", client_order_id: "q-1" });
    await withThree(async (access) => {
      const place = await placeOfPlan(access, planIdOf(1));
      if (place === undefined) throw new Error("the plan is not found");
      const statement = { outcome: "NOT_PLACED", quantity: "" } as const;
      expect(await endDoubt(place, planIdOf(1), statement, BY)).toEqual({ kind: "stated" });
    });
    expect(await redis.hget(keys.order(planIdOf(1)), "stated_outcome")).toBe("NOT_PLACED");
    expect(await redis.xlen(keys.streams.operatorAudit)).toBe(1);
  });
});

/** In a place whose group has given the entry up. */
async function letter(keys: typeof wire, stream: string, n: number, id: string): Promise<void> {
  await redis.xgroup("CREATE", stream, "group", "0", "MKSTREAM").catch(() => undefined);
  const entry = await add(redis, stream, { plan_id: planIdOf(n) });
  await add(
    redis,
    keys.streams.deadLetter,
    { stream, group: "group", reason: `bad ${n}`, entry_id: entry },
    id,
  );
}

describe("dead letters", () => {
  it("of partitions and intake are one list, and each is handled where it is", async () => {
    await letter(keysOf(0), keysOf(0).streams.plan, 0, "100-0");
    await letter(keysOf(2), keysOf(2).streams.plan, 2, "100-0");
    await letter(intake, wire.streams.proposal, 3, "100-0");
    await letter(keysOf(1), keysOf(1).streams.plan, 1, "99-0");
    await withThree(async (access) => {
      const { rows, total } = await pageDeadLetters(access, {});
      const ids = ["100-0@q0", "100-0@q2", "100-0@intake", "99-0@q1"];
      expect({ ids: rows.map(({ id }) => id), total }).toEqual({ ids, total: 4 });
      const behind = await pageDeadLetters(access, { cursor: "100-0@q2" });
      expect(behind.rows.map(({ id }) => id)).toEqual(["100-0@intake", "99-0@q1"]);
      expect((await readDeadLetter(access, "100-0@intake"))?.reason).toBe("bad 3");
      const none = ["100-0", "100-0@q1", "100-0@q7", "100-0@q0@q0"];
      expect(await Promise.all(none.map((id) => readDeadLetter(access, id)))).toEqual(
        none.map(() => undefined),
      );

      const done = { done: true, why: "" };
      expect(await requeueLetters(access, ["100-0@intake", "100-0@q2"], BY)).toEqual([
        { id: "100-0@intake", ...done },
        { id: "100-0@q2", ...done },
      ]);
      expect(await dropLetters(access, ["99-0@q1"], BY)).toEqual([{ id: "99-0@q1", ...done }]);
      expect((await pageDeadLetters(access, {})).rows.map(({ id }) => id)).toEqual(["100-0@q0"]);
      expect((await redis.xpending(wire.streams.proposal, "group"))[0]).toBe(1);

      const audit = await pageAudit(access);
      expect(audit.rows.map(({ action, target }) => `${action} ${target}`).toSorted()).toEqual([
        "dlq.drop 99-0",
        "dlq.requeue 100-0",
        "dlq.requeue 100-0",
      ]);
    });
    const audits = [keysOf(0), keysOf(1), keysOf(2), intake].map(({ streams }) =>
      redis.xlen(streams.operatorAudit),
    );
    expect(await Promise.all(audits)).toEqual([0, 1, 1, 1]);
  });
});

describe("streams that are followed", () => {
  it("are those of all partitions", async () => {
    await result(0, 1, "100-0");
    const stop = new AbortController();
    const seen: string[] = [];
    await withThree(async (access) => {
      const tally = new WaitTally();
      const following = followEnds(
        access,
        tally,
        (rows) => {
          seen.push(...rows.map(({ planId }) => planId));
          if (seen.length === COUNT) stop.abort();
        },
        stop.signal,
      );
      while (!tally.hasBegun) await access.partitions.account.redis.ping();
      const at = `${Date.now()}-0`;
      for (let n = 0; n < COUNT; n += 1) await result(n, 10 + n, at, { wait_ms: "5" });
      await following;
      expect(tally.lastBlock).toMatchObject({ waitMs: 5 });
    });
    expect(seen.toSorted()).toEqual([10, 11, 12].map(planIdOf));
  });
});

describe("symbols", () => {
  it("are seen with the books of their partition", async () => {
    for (const [n, symbol] of SYMBOLS.entries()) {
      const keys = keysOf(n);
      await redis.sadd(keys.orderSymbols, symbol);
      await redis.hset(keys.ledger(symbol), { disagrees_since_ms: "5", last_known_amt: String(n) });
      await redis.hset(keys.snapshot(symbol), { position_amt: "7" });
      await redis.xgroup("CREATE", keys.streams.plan, "governor", "0", "MKSTREAM");
    }
    // What is no key of theirs in this layout.
    await redis.hset(wire.ledger("BTCUSDT"), { disagrees_since_ms: "1", last_known_amt: "99" });
    await result(1, 1, "100-0", { wait_ms: "5", reason: "denied" });
    await withThree(async (access) => {
      const held = (await readHolds(access)).map(({ symbol, ledgerAmt }): [string, string] => [
        symbol,
        ledgerAmt,
      ]);
      expect(new Map(held)).toEqual(new Map(SYMBOLS.map((symbol, n) => [symbol, String(n)])));
      const { symbols, groups, silent } = await readOverview(access);
      expect(new Map(symbols.map(({ symbol, hold }) => [symbol, hold?.ledgerAmt]))).toEqual(new Map(held));
      expect(groups.map(({ stream }) => stream)).toEqual([0, 1, 2].map((n) => keysOf(n).streams.plan));
      expect(silent).toEqual([]);
      expect((await viewSymbol(access, "ETHUSDT"))?.ledger).toMatchObject({ last_known_amt: "2" });
      expect(await lastWait(access, "blocked")).toMatchObject({ planId: planIdOf(1), reason: "denied" });
      expect(await readGroups(access)).toHaveLength(COUNT);
    });
  });
});

describe("the overview", () => {
  /** With a partition, or the intake, on a server that is not there. */
  async function without(name: string, look: (access: OpenAccess) => Promise<void>): Promise<void> {
    const gone = connectForCommands({ url: "redis://127.0.0.1:1", name: "gone", onError: () => undefined });
    await withThree(async (access) => {
      const partitions = access.partitions.with((partition) =>
        partition.name === name ? { redis: gone } : {},
      );
      const half = {
        ...access,
        partitions,
        ...(name === "intake" && { intake: { keys: intake, redis: gone } }),
      };
      try {
        await look(half);
      } finally {
        await disconnect(gone);
      }
    });
  }

  it.each([
    ["q1", "partition q1 does not answer: "],
    ["intake", "the intake of proposals does not answer: "],
  ])("without %s says so, and tells of the others", async (name, sentence) => {
    for (const [n, symbol] of SYMBOLS.entries()) {
      await redis.sadd(keysOf(n).orderSymbols, symbol);
      await result(n, n, `10${n}-0`, { wait_ms: "5" });
      await letter(keysOf(n), keysOf(n).streams.plan, n, "100-0");
    }
    await letter(intake, wire.streams.proposal, 3, "100-0");
    await without(name, async (access) => {
      const { silent, symbols, lastBlock, deadLetters } = await readOverview(access);
      expect(silent).toEqual([expect.stringContaining(sentence)]);
      const others = SYMBOLS.filter((symbol) => `q${partitionOf(symbol, COUNT)}` !== name);
      expect(symbols.map(({ symbol }) => symbol).toSorted()).toEqual(others.toSorted());
      expect(lastBlock).toMatchObject({ planId: planIdOf(2) });
      expect(deadLetters).toBe(COUNT);
    });
  });

  it("without the account's partition says what is not known", async () => {
    await without("q0", async (access) => {
      const { silent, exit } = await readOverview(access);
      expect(silent).toEqual([
        expect.stringContaining("partition q0 does not answer: "),
        "the exchange's pauses, the governor's limits, and whether operators could exit are not known",
      ]);
      expect(exit).toMatchObject({ armed: false, text: "not known" });
    });
  });

  it("of a plan that nobody knows is no answer while a partition does not answer", async () => {
    await redis.hset(keysOf(2).plan(planIdOf(1)), { state: "BLOCKED" });
    await without("q1", async (access) => {
      expect((await findPlan(access, planIdOf(1)))?.record.state).toBe("BLOCKED");
      await expect(findPlan(access, planIdOf(2))).rejects.toThrow("max retries");
      await expect(forceFound(access, planIdOf(1))).rejects.toThrow("max retries");
    });
  });
});

describe("pages of several partitions", () => {
  it("give each row once, in order, however long pages are and wherever a partition's search stops", () => {
    const row = fc.record({
      id: fc.nat({ max: 6 }),
      partition: fc.nat({ max: 2 }),
      isUnfinished: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(row, {
          selector: ({ id, partition, isUnfinished }) => `${id} ${partition} ${isUnfinished}`,
        }),
        fc.integer({ min: 1, max: 5 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 5 })),
        (rows, limit, stops) => {
          const all = rows.map(foundOf).toSorted(inOrder);
          const pageOf = (partition: number, cursor: Cursor | undefined, most: number): Page => {
            const left = all.filter(
              (one) => one.partition === partition && isBehind(one, within(cursor, partition)),
            );
            const found = left.slice(0, most);
            return { found, next: found.length < left.length ? found.at(-1) : undefined };
          };
          const seen: Found[] = [];
          for (let cursor: Cursor | undefined, rounds = 0; ; rounds += 1) {
            expect(rounds).toBeLessThanOrEqual(all.length * 2);
            const pages = [0, 1, 2].map((partition) =>
              pageOf(partition, cursor, Math.min(limit, stops.next().value as number)),
            );
            const { found, next } = mergePages(pages, limit);
            seen.push(...found);
            if (next === undefined) break;
            cursor = cursorOf(textOf(next, COUNT));
          }
          expect(seen).toEqual(all);
        },
      ),
    );
  });

  const foundOf = ({ id, ...place }: { id: number; partition: number; isUnfinished: boolean }): Found => ({
    id: `${id}-0`,
    ...place,
    attempt: "",
    row: rowOfVerdict({ id: `${id}-0`, fields: {} }),
  });

  /** As a partition's search reads it. */
  function isBehind({ id, isUnfinished }: Found, from: From): boolean {
    if (from === undefined || isLater(from.id, id)) return true;
    if (from.id !== id) return false;
    return from.seen === "none" || (from.seen === "unfinished" && !isUnfinished);
  }
});
