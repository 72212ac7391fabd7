/**
 * Whoever may write everything to Redis still gets no order that the issuers did not sign, and changes no plan that is
 * under way; and of those who may not, Redis says who can try (docs/security.md).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { REDIS_USERS } from "@quantum/contract";
import { patienceMs, startRedisServer, type TestRedis, urlOfUser } from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Fields, openStage, type Plan, type Stage } from "./attacks/stage.ts";
import { ATTACKS, type Attack, type AttackName } from "./attacks/table.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage({ "apply-layer": {}, executor: {} });
});
afterAll(() => stage.stop());

/** The reason of the wire, without the words behind it. */
const reasonOf = (text: string) => text.split(":")[0];

type Forge = (plan: Plan) => Promise<Fields>;

/** Carried out by a user with all rights: signatures and the executor's own configuration are all that is there. */
const FORGED: readonly [AttackName, reason: string, forge: Forge][] = [
  ["unsigned permits", "permit_unsigned", (plan) => stage.entry(plan, [])],
  [
    "forged permits, signed by a key that no executor lists",
    "permit_forged",
    async (plan) =>
      stage.entry(plan, [
        await stage.text("governor", plan),
        await stage.text("p33", plan, {}, stage.stranger),
      ]),
  ],
  [
    "a key id that is not listed",
    "permit_forged",
    async (plan) => {
      const [governor, p33] = await stage.texts(plan);
      return stage.entry(plan, [governor, p33.replace(/kid=[0-9a-f]{16}/, `kid=${"0".repeat(16)}`)]);
    },
  ],
  [
    "a governor that signs for P3.3",
    "permit_forged",
    async (plan) => {
      const [governor] = await stage.texts(plan);
      return stage.entry(plan, [
        governor,
        await stage.text("governor", plan, { ...(await quantityOf(plan)) }),
      ]);
    },
  ],
  [
    "a permit of another plan",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, await stage.texts(await stage.invent())),
  ],
  [
    "a permit of another symbol",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, await stage.texts(plan), { symbol: "ETHUSDT" }),
  ],
  [
    "a permit of another attempt",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, await stage.texts(plan), { attempt: "1700000000000-0" }),
  ],
  [
    "an attempt reused with another plan id",
    "permit_of_another_plan",
    async (plan) => {
      const { id } = await stage.invent();
      return stage.entry({ ...plan, id }, await stage.texts(plan));
    },
  ],
  [
    "a text joined from two permits",
    "permit_forged",
    async (plan) => {
      const [governor, small] = await stage.texts(plan);
      const large = await stage.text("p33", plan, { safe_qty: "0.060" });
      return stage.entry(plan, [governor, large.replace(/sig=.*/, small.slice(small.indexOf("sig=")))]);
    },
  ],
  [
    "a changed share",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, await stage.texts(plan), { close_pct: "100" }),
  ],
  [
    "a changed step",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, await stage.texts(plan), { step: "CLOSE_FULL" }),
  ],
  [
    "a changed mode",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, await stage.texts(plan, { mode: "testnet" }), { mode: "testnet" }),
  ],
  [
    "permits of a dry run in paper mode",
    "permit_of_another_plan",
    async (plan) => stage.entry(plan, await stage.texts(plan, { mode: "dry_run" })),
  ],
  [
    "a changed class",
    "permit_forged",
    async (plan) => stage.entry(plan, await stage.texts(plan, { class: "operator" })),
  ],
  ["fewer issuers", "permit_unsigned", async (plan) => stage.entry(plan, [await stage.text("p33", plan)])],
  [
    "two texts of one issuer",
    "permit_forged",
    async (plan) => {
      const [governor, small] = await stage.texts(plan);
      return stage.entry(plan, [governor, small, await stage.text("p33", plan, { safe_qty: "0.060" })]);
    },
  ],
  [
    "expired permits",
    "permit_expired",
    async (plan) => {
      const nowMs = await stage.redisMs();
      return stage.entry(
        plan,
        // By more than the executor's error in judging Redis's clock: `claim` would refuse what it lets pass.
        await stage.texts(plan, { issued_ms: String(nowMs - 2_000), until_ms: String(nowMs - 1_000) }),
      );
    },
  ],
];

const quantityOf = async ({ quantity }: Plan) =>
  ({ issuer: "p33", side: "SELL", safe_qty: quantity, position: "0.062" }) as const;

describe("forged permits, and all rights in Redis", () => {
  it.each(FORGED)(
    "%s: no order, the plan ends with the reason, and it is counted",
    async (_, reason, forge) => {
      const counted = await stage.distrusted(reason);
      const fields = await forge(await stage.invent());
      const plan = { id: fields["plan_id"] ?? "" } as Plan;
      await stage.appendNamed(fields);
      const result = await stage.result(plan);
      expect(result).toMatchObject({ outcome: "NOT_PLACED", reason });
      expect(await stage.orders(plan)).toBe(0);
      expect(await stage.distrusted(reason)).toBeGreaterThan(counted);
    },
  );

  it.each(FORGED)("%s: an executed plan that it names stays as it is", async (_, reason, forge) => {
    const { plan } = await executed();
    const before = await stage.known(plan);
    // What is forged for another plan must not be put under that one's id.
    const forged = await forge(plan);
    const entryId = await stage.append(forged);
    expect(reasonOf(await stage.deadLetter(entryId))).toBe(reason);
    expect(await stage.known(plan)).toEqual(before);
    expect(before.orders).toBe(1);
  });
});

/** One for all of them: nothing may change it. */
let once: ReturnType<Stage["executedPlan"]> | undefined;
function executed() {
  once ??= stage.executedPlan();
  return once;
}

describe("what the issuers did sign", () => {
  it("an enlarged quantity in the permit: the order is for what was signed", async () => {
    const plan = await stage.propose("SOLUSDT");
    await stage.grant(plan, await stage.texts(plan), "10");
    expect(await stage.result(plan)).toMatchObject({ outcome: "EXECUTED" });
    expect(await stage.executedQty(plan)).toBe(Number(plan.quantity));
    expect((await stage.execution(plan)).fields["safe_qty"]).toBe("10");
  });

  it("an enlarged quantity in the entry and in `spent`, and a changed side: the same", async () => {
    const plan = await stage.invent("SOLUSDT");
    const enlarged = { safe_qty: "40", position_amt: "-4000", max_qty: "40" };
    await stage.appendNamed(await stage.entry(plan, await stage.texts(plan), enlarged));
    expect(await stage.result(plan)).toMatchObject({ outcome: "EXECUTED" });
    expect(await stage.executedQty(plan)).toBe(Number(plan.quantity));
    const { orders } = await stage.rig.simState();
    expect(orders.find(({ clientOrderId }) => clientOrderId.includes(plan.id))).toMatchObject({
      side: "SELL",
    });
  });

  it("permits without a signature, which consume still takes: the plan ends without an order", async () => {
    const plan = await stage.propose("SOLUSDT");
    await stage.grant(plan, [undefined, undefined]);
    expect(await stage.result(plan)).toMatchObject({ outcome: "NOT_PLACED", reason: "permit_unsigned" });
    expect(await stage.orders(plan)).toBe(0);
  });

  it("`spent` forged, naming the attacker's entry: a plan under way ends, without an order", async () => {
    const plan = await stage.invent();
    const texts = await stage.texts(await stage.invent());
    await stage.client.hset(stage.keys.plan(plan.id), {
      ...{ state: "PERMITTED", symbol: plan.symbol, attempt: plan.attempt },
    });
    await stage.appendNamed(await stage.entry(plan, texts));
    expect(await stage.result(plan)).toMatchObject({ reason: "permit_of_another_plan" });
    expect((await stage.known(plan)).orders).toBe(0);
  });

  it("a second entry for a plan that is executed, with its own permits: a dead letter", async () => {
    const { plan, entry } = await executed();
    const before = await stage.known(plan);
    const entryId = await stage.append({ ...entry, valid_until_ms: String((await stage.redisMs()) + 5_000) });
    expect(await stage.deadLetter(entryId)).toBe("permits_not_spent");
    expect(await stage.known(plan)).toEqual(before);
  });

  it("the claim deleted, the entry replayed: it is queried, and not sent", async () => {
    const { plan, entry } = await stage.executedPlan("SOLUSDT");
    await stage.forgetOrder(plan);
    await stage.appendNamed(entry);
    await expect.poll(async () => (await stage.results(plan)).length, { timeout: 20_000 }).toBe(2);
    expect(await stage.results(plan)).toMatchObject([{ outcome: "EXECUTED" }, { outcome: "EXECUTED" }]);
    expect(await stage.orders(plan)).toBe(1);
  });

  it("a record edited: the executed plan is not sent again, and no other is sent", async () => {
    const { plan, entry } = await stage.executedPlan("XRPUSDT");
    const edited = { state: "PERMITTED", safe_qty: "2600", mode: "testnet", client_order_id: "qp-0-1" };
    await stage.client.hset(stage.keys.plan(plan.id), edited);
    const entryId = await stage.append({ ...entry, safe_qty: "2600" });
    expect(await stage.deadLetter(entryId)).toBe("permits_not_spent");
    expect(await stage.executedQty(plan)).toBe(Number(plan.quantity));
    expect(await stage.orders(plan)).toBe(1);
  });

  it("the kill switch deleted: what the issuers signed is sent, so the switch is the operator's alone", async () => {
    await stage.client.set(stage.keys.killSwitch, "1");
    const halted = await stage.invent("SOLUSDT");
    await stage.appendNamed(await stage.entry(halted, await stage.texts(halted)));
    expect(await stage.result(halted)).toMatchObject({ outcome: "NOT_PLACED", reason: "kill_switch_active" });
    await stage.client.del(stage.keys.killSwitch);
    const sent = await stage.invent("SOLUSDT");
    await stage.appendNamed(await stage.entry(sent, await stage.texts(sent)));
    expect(await stage.result(sent)).toMatchObject({ outcome: "EXECUTED" });
  });
});

describe("an entry of 10 MB", () => {
  const MEGABYTES_10 = 10 * 1024 * 1024;
  const SHORT = 2_000;

  it.each<[string, (text: string) => Fields]>([
    [
      "in the texts",
      (text) => ({ signed: `${text}\n`.repeat(Math.floor(MEGABYTES_10 / (text.length + 1))) }),
    ],
    ["in the mode", () => ({ mode: "x".repeat(MEGABYTES_10) })],
    ["in the step", () => ({ step: "x".repeat(MEGABYTES_10) })],
    [
      "in the numbers",
      () => ({ close_pct: "9".repeat(MEGABYTES_10), position_amt: "9".repeat(MEGABYTES_10) }),
    ],
  ])("%s: a dead letter with few words, and the next plan is executed at once", async (_, over) => {
    const plan = await stage.invent("XRPUSDT");
    const texts = await stage.texts(plan);
    const forged = (texts[1] ?? "").replace("safe_qty=5", "safe_qty=6");
    const entryId = await stage.append(await stage.entry(plan, texts, over(forged)));
    const reason = await stage.deadLetter(entryId);
    expect(reason.length).toBeLessThan(SHORT);
    const next = await stage.executedPlan("XRPUSDT");
    expect(Number((await stage.known(next.plan)).record["wait_ms"])).toBeLessThan(patienceMs(SHORT));
    const long = stage.started
      .get("executor")
      ?.logs.find((record) => JSON.stringify(record).length > 2 * SHORT);
    expect(long).toBeUndefined();
  });
});

describe("each service's own user", () => {
  let redis: TestRedis;
  const clients = new Map<string, RedisClient>();
  beforeAll(async () => {
    redis = await startRedisServer();
    for (const user of REDIS_USERS) {
      const url = urlOfUser(redis.url, user);
      clients.set(user, connectForCommands({ url, name: user, onError: () => undefined }));
    }
  });
  afterAll(async () => {
    await Promise.all([...clients.values()].map(disconnect));
    await redis.stop();
  });

  /** The command at which Redis stops the user, of those that the attack needs. */
  async function stopOf(user: string, { writes }: Attack): Promise<string | undefined> {
    for (const [command, ...words] of writes) {
      const answer = await clients
        .get(user)
        ?.call(command, ...words)
        .catch((error: unknown) => error as Error);
      if (!(answer instanceof Error)) continue;
      expect(answer.message).toMatch(/^NOPERM/);
      return command;
    }
    return undefined;
  }

  it.each(Object.entries(ATTACKS))("%s: who can, and where Redis stops the others", async (_, attack) => {
    const able: string[] = [];
    const stops = new Set<string>();
    for (const user of REDIS_USERS.filter((name) => name !== "admin")) {
      const stop = await stopOf(user, attack);
      if (stop === undefined) able.push(user);
      else stops.add(stop);
    }
    expect({ by: able.toSorted(), stopsAt: [...stops].toSorted() }).toEqual({
      by: [...attack.by],
      stopsAt: [...attack.stopsAt],
    });
  });
});

describe("docs/security.md", () => {
  const text = readFileSync(join(import.meta.dirname, "../docs/security.md"), "utf8");
  const rows = new Map(
    [...text.matchAll(/^\| ([^|]+?) \|(.*)\|$/gm)].map(([, name = "", rest = ""]) => [
      name,
      rest.split("|").map((cell) => cell.trim()),
    ]),
  );

  it.each(Object.entries(ATTACKS))("has a row for: %s", (name, { by }) => {
    const users = by.length === 0 ? "nobody" : by.map((user) => `\`${user}\``).join(", ");
    expect(rows.get(name)?.[1]).toBe(users);
  });

  it("links every row to a test that is there", () => {
    const linked = [...text.matchAll(/\]\(\.\.\/(tests\/[^)]+)\)/g)].map(([, file = ""]) => file);
    expect(new Set(linked)).toEqual(
      new Set(["tests/attacks.test.ts", "tests/attacks.slow.test.ts", "tests/exit/attacks.test.ts"]),
    );
    for (const file of new Set(linked))
      expect(readFileSync(join(import.meta.dirname, "..", file))).not.toBe("");
  });
});
