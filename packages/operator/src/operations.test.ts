/** What an operation says that it would do, what it then does, and what it leaves alone. */
import { disarm } from "@quantum/permits";
import { useRedis } from "@quantum/harness/vitest";
import { beforeEach, describe, expect, it } from "vitest";
import { accessAs, add, BY, keys, planIdOf } from "./access.fixture.ts";
import { pageAudit } from "./audit.ts";
import { setKillSwitch } from "./changes.ts";
import { type OperationName, operations } from "./operations.ts";
import { Refusal } from "./refusal.ts";

const PLAN = planIdOf(1);
const { plan, deadLetter, operatorAudit } = keys.streams;

const { redis, server } = await useRedis();
const access = accessAs("operator", server.url);
beforeEach(async () => {
  await redis.flushall();
});

/** Every value that a change could touch. */
async function everything(): Promise<string> {
  const all = (await redis.keys("*")).toSorted();
  const dumps = await Promise.all(all.map(async (key) => (await redis.dumpBuffer(key)).toString("hex")));
  return JSON.stringify([all, dumps]);
}
const lastAudit = async () => (await pageAudit(access)).rows[0];

async function held(exchangeAmt: string): Promise<void> {
  const ledger = { disagrees_since_ms: String(Date.now() - 5_000), last_known_amt: "2.5" };
  if ((await redis.exists(keys.ledger("BTCUSDT"))) === 0) await redis.hset(keys.ledger("BTCUSDT"), ledger);
  await redis.hset(keys.snapshot("BTCUSDT"), { position_amt: exchangeAmt });
}

async function letters(): Promise<string[]> {
  await redis.xgroup("CREATE", plan, "governor", "0", "MKSTREAM");
  const ids: string[] = [];
  for (const n of [1, 2]) {
    const entryId = await add(redis, plan, { plan_id: planIdOf(n) });
    ids.push(
      await add(redis, deadLetter, { stream: plan, group: "governor", entry_id: entryId, reason: "bad" }),
    );
  }
  return ids;
}

interface Case {
  name: OperationName;
  arrange: () => Promise<object>;
  told: RegExp;
  done: RegExp;
  audited: string;
}

const CASES: Case[] = [
  {
    name: "kill-on",
    arrange: async () => ({}),
    told: /^The kill switch goes ON\. No plan opens, .* is not cancelled\.$/,
    done: /^The kill switch is ON\. No plan opens/,
    audited: "kill.on",
  },
  {
    name: "kill-off",
    arrange: async () => {
      await setKillSwitch(access.partitions.account, true, { who: "bob@desk", reason: "a crash" });
      return {};
    },
    told: /^The kill switch goes OFF\. .* orders are sent again\. It has been on for \d+ m?s, by bob@desk: a crash\.$/,
    done: /^The kill switch is off\.$/,
    audited: "kill.off",
  },
  {
    name: "disarm-clear",
    arrange: async () => {
      await disarm(redis, keys, { reason: "burst_limit_breach", context: { symbol: "BTCUSDT" } });
      return {};
    },
    told: /^The disarm is cleared\. .* Disarmed: burst_limit_breach symbol="BTCUSDT", for \d+ m?s\.$/,
    done: /^The disarm is cleared\.$/,
    audited: "disarm.clear",
  },
  {
    name: "exchange-resume",
    arrange: async () => {
      await redis.set(keys.exchangePause("orders"), '{"reason": "banned"}', "PX", 60_000);
      return {};
    },
    told: /^The exchange accepts no orders for \d+ s: banned\. The pause is ended: .* lengthens it/,
    done: /^The pause is ended: /,
    audited: "exchange.resume",
  },
  {
    name: "force",
    arrange: async () => {
      await redis.set(keys.dedupe(PLAN), "1");
      await redis.hset(keys.plan(PLAN), { state: "BLOCKED" });
      return { planId: PLAN };
    },
    told: new RegExp(`^Plan ${PLAN} \\(BLOCKED\\): its dedupe mark is deleted: `),
    done: new RegExp(`^Plan ${PLAN} may open again: `),
    audited: "force",
  },
  {
    name: "requeue",
    arrange: async () => ({ ids: await letters() }),
    told: /^2 dead letters to be given back to governor, /,
    done: /^2 requeued\.$/,
    audited: "dlq.requeue",
  },
  {
    name: "drop",
    arrange: async () => ({ ids: [...(await letters()), "9-9"] }),
    told: /^2 dead letters \(1 more are gone\) of governor to be deleted permanently\./,
    done: /^2 dropped\. Left: 1, such as 9-9: there is no such dead letter\.$/,
    audited: "dlq.drop",
  },
];

describe.each(CASES)("$name", ({ name, arrange, told, done, audited }) => {
  const operation = operations[name] as (typeof operations)["kill-on"];

  it("tells what it would do and changes nothing, then does it on record", async () => {
    const args = await arrange();
    const before = await everything();
    const { text, shown } = await operation.preview(access, args);
    expect(text).toMatch(told);
    expect(await everything()).toBe(before);
    expect(await operation.run(access, args, BY, shown)).toMatch(done);
    expect(await lastAudit()).toMatchObject({ action: audited, who: BY.who, reason: BY.reason });
  });
});

describe("an operation is refused, and nothing is changed,", () => {
  it.each<[OperationName, object, RegExp]>([
    ["kill-off", {}, /off already/],
    ["disarm-clear", {}, /no disarm is in force/],
    ["exchange-resume", {}, /asked for no pause/],
    ["hold-accept", { symbol: "BTCUSDT" }, /BTCUSDT is not held/],
    ["force", { planId: PLAN }, /nothing prevents it from opening/],
    ["requeue", { ids: ["9-9", "what"] }, /no such dead letter/],
    ["drop", { ids: [] }, /no such dead letters|nothing was dropped/],
  ])("where there is nothing to do: %s", async (name, args, message) => {
    const operation = operations[name] as (typeof operations)["kill-on"];
    await expect(operation.preview(access, args)).rejects.toThrow(Refusal);
    await expect(operation.run(access, args, BY)).rejects.toThrow(message);
    expect(await redis.keys("*")).toEqual([]);
  });

  it("where it is not what was shown: the kill switch", async () => {
    await setKillSwitch(access.partitions.account, true, BY);
    const { shown } = await operations["kill-off"].preview(access, {});
    await setKillSwitch(access.partitions.account, false, BY);
    await setKillSwitch(access.partitions.account, true, { who: "bob@desk", reason: "it burns" });
    await expect(operations["kill-off"].run(access, {}, BY, shown)).rejects.toThrow(Refusal);
    expect(await redis.get(keys.killSwitch)).toBe("1");
  });

  it("where it is not what was shown: a disarm that would keep orders back beside the kill switch", async () => {
    await setKillSwitch(access.partitions.account, true, BY);
    await disarm(redis, keys, { reason: "burst_limit_breach", context: {} });
    const { text, shown } = await operations["kill-off"].preview(access, {});
    expect(text).toContain("once the disarm is cleared as well");
    await operations["disarm-clear"].run(access, {}, { who: "bob@desk", reason: "done" });
    await expect(operations["kill-off"].run(access, {}, BY, shown)).rejects.toThrow(Refusal);
    expect(await redis.get(keys.killSwitch)).toBe("1");
  });

  it("where it is not what was shown: the reason of the kill switch", async () => {
    await setKillSwitch(access.partitions.account, true, BY);
    const { shown } = await operations["kill-off"].preview(access, {});
    await operations["kill-on"].run(access, {}, { who: "bob@desk", reason: "it burns" });
    await expect(operations["kill-off"].run(access, {}, BY, shown)).rejects.toThrow(Refusal);
    expect(await redis.get(keys.killSwitch)).toBe("1");
  });

  it("where it is not what was shown: a pause that the exchange has asked for again", async () => {
    const pause = (sinceMs: number, pauseMs: number) =>
      redis.set(
        keys.exchangePause("orders"),
        `{"reason": "banned", "since_ms": ${sinceMs}, "pause_ms": ${pauseMs}}`,
        "PX",
        pauseMs,
      );
    await pause(1, 60_000);
    const { shown } = await operations["exchange-resume"].preview(access, {});
    await pause(2, 3_600_000);
    await expect(operations["exchange-resume"].run(access, {}, BY, shown)).rejects.toThrow(Refusal);
    expect(await redis.pttl(keys.exchangePause("orders"))).toBeGreaterThan(60_000);
  });

  it("where it is not what was shown: the disarm", async () => {
    await disarm(redis, keys, { reason: "burst_limit_breach", context: {} });
    const { shown } = await operations["disarm-clear"].preview(access, {});
    await redis.del(await redis.keys("quantum:governor:disarm*"));
    await disarm(redis, keys, { reason: "repeated_errors", context: {} });
    await expect(operations["disarm-clear"].run(access, {}, BY, shown)).rejects.toThrow(Refusal);
    expect(await redis.exists(keys.disarm)).toBe(1);
  });

  it("where it is not what was shown: the amounts of a hold", async () => {
    await held("1.0");
    const { text, shown } = await operations["hold-accept"].preview(access, { symbol: "BTCUSDT" });
    expect(text).toMatch(/Held: BTCUSDT: exchange 1\.0, ledger 2\.5, for \d+ s\.$/);
    await held("3.0");
    const accepting = operations["hold-accept"].run(access, { symbol: "BTCUSDT" }, BY, shown);
    await expect(accepting).rejects.toThrow(/no longer what was shown/);
    expect(await redis.xlen(operatorAudit)).toBe(0);
  });
});

it("hold-accept resets the ledger to the position that was shown", async () => {
  await held("1.0");
  const { shown } = await operations["hold-accept"].preview(access, { symbol: "BTCUSDT" });
  const accepting = operations["hold-accept"].run(access, { symbol: "BTCUSDT" }, BY, shown);
  // As position-brain does.
  await expect.poll(() => redis.xlen(operatorAudit)).toBe(1);
  await redis.hset(keys.ledger("BTCUSDT"), {
    disagrees_since_ms: "",
    last_known_amt: "1.0",
    origin: "accepted",
  });
  expect(await accepting).toBe("BTCUSDT: the ledger is reset to 1.0 (accepted).");
  expect(await lastAudit()).toMatchObject({ action: "hold.accept", target: "BTCUSDT", who: BY.who });
});

it("kill-on is done also where it is on already, and its new reason is on record", async () => {
  await setKillSwitch(access.partitions.account, true, { who: "bob@desk", reason: "" });
  expect(await operations["kill-on"].run(access, {}, BY)).toMatch(/^The kill switch was already ON\./);
  expect(await lastAudit()).toMatchObject({ action: "kill.reason", who: BY.who, reason: BY.reason });
});
