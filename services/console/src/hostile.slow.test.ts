/** Whatever stands in Redis, the console answers in words: nothing that others write there makes it fail. */
import { createKeys } from "@quantum/contract";
import { startRedisServer, type TestRedis } from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { ACTION_NAMES } from "./actions.ts";
import { startTestConsole } from "./console.fixture.ts";

const keys = createKeys();
const PLAN = "67e6da21fa9fe506";
const SYMBOL = "BTCUSDT";
const LETTER = "1769301008977-0";
const LIMIT_MS = 120_000;

const READS = [
  ...["/api/now", "/api/plans", "/api/plans?outcome=WAITING", "/api/plans?issuer=governor"],
  ...[`/api/plans/${PLAN}`, "/api/dead-letters", `/api/symbols/${SYMBOL}`, "/api/audit"],
];

const FIXED = Object.values(keys).filter((key) => typeof key === "string" && !key.endsWith("*")) as string[];
const ALL = [
  ...FIXED,
  ...Object.values(keys.streams),
  ...[keys.plan, keys.order, keys.spent, keys.dedupe, keys.published].map((keyOf) => keyOf(PLAN)),
  ...[keys.waiting, keys.unsettled, keys.unknown, keys.snapshot, keys.ledger, keys.closeWanted].map((keyOf) =>
    keyOf(SYMBOL),
  ),
  ...Object.values(keys.reservations("governor", SYMBOL)),
  keys.exchangePause("requests"),
];
/** What a careless or malicious writer leaves in a field. */
const JUNK = [
  ...["", "1e999", "-1", "NaN", "9".repeat(400), "x".repeat(10_000), "\u202e\u0000\u001b[2J"],
  ...['{"reason":"\\ud800"}', '["\\ud800"]', "[".repeat(5_000), '{"__proto__":{"a":1}}', "null"],
];

let redis: TestRedis;
let client: RedisClient;
beforeAll(async () => {
  redis = await startRedisServer();
  client = connectForCommands({ url: redis.url, name: "test", onError: () => undefined });
});
beforeEach(async () => {
  await client.flushall();
});
afterAll(async () => {
  await disconnect(client);
  await redis.stop();
});

/** So that each reader comes as far as the symbol and the plan. */
async function makeKnown(): Promise<void> {
  await client.sadd(keys.waitingSymbols, SYMBOL);
  await client.sadd(keys.orderSymbols, SYMBOL);
  await client.zadd(keys.waiting(SYMBOL), 1, PLAN);
  await client.sadd(keys.unknown(SYMBOL), PLAN);
}

async function problemsOf(
  console: Awaited<ReturnType<typeof startTestConsole>>,
  session: Record<string, string>,
): Promise<string[]> {
  const bodies = { symbol: SYMBOL, planId: PLAN, ids: [LETTER] };
  const reads = READS.map(async (path) => ({ path, ...(await console.send(path, { headers: session })) }));
  const previews = ACTION_NAMES.map(async (name) => {
    const field = { "hold-accept": "symbol", force: "planId", requeue: "ids", drop: "ids" }[name as string];
    const body = field === undefined ? {} : { [field]: bodies[field as keyof typeof bodies] };
    return { path: name, ...(await console.act(name, { ...body, preview: true }, session)) };
  });
  const answers = await Promise.all([...reads, ...previews]);
  return answers
    .filter(({ status }) => ![200, 404, 409, 503].includes(status))
    .map(({ path, status, text }) => `${path}: ${status} ${text}`);
}

it(
  "with a key of the wrong type",
  async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    const problems: string[] = [];
    for (const key of ALL) {
      await client.flushall();
      await makeKnown();
      await client.del(key);
      // None of ours is a list.
      await client.lpush(key, "a");
      problems.push(...(await problemsOf(console, session)).map((problem) => `${key}: ${problem}`));
    }
    expect(problems).toEqual([]);
    expect(console.log.error.mock.calls.filter(([, text]) => text === "a request failed")).toEqual([]);
  },
  LIMIT_MS,
);

it(
  "with texts that nobody can read",
  async () => {
    const console = await startTestConsole(redis);
    const session = await console.login("ann");
    const problems: string[] = [];
    for (const junk of JUNK) {
      await client.flushall();
      await makeKnown();
      const fields = [
        ...["plan_id", PLAN, "symbol", SYMBOL, "attempt", LETTER],
        ...[
          "outcome",
          "reason",
          "detail",
          "wait_ms",
          "deadline_ms",
          "corrects",
          "executed_qty",
          "fields",
        ].flatMap((name) => [name, junk]),
        ...["__proto__", junk, junk === "" ? "empty" : junk, junk],
      ];
      for (const stream of Object.values(keys.streams)) await client.xadd(stream, LETTER, ...fields);
      const record = [
        "opened_at_ms",
        "deadline_ms",
        "hand_over",
        "governor_verdict",
        "governor_at_ms",
        "state",
      ];
      for (const key of [
        ...[keys.plan(PLAN), keys.order(PLAN), keys.snapshot(SYMBOL), keys.ledger(SYMBOL), keys.exit],
        ...[keys.governorLimits, keys.orderOwner, keys.booker, keys.handedOver, keys.absentClaims],
        ...[keys.reservations("governor", SYMBOL).totals, keys.reservations("governor", SYMBOL).open],
      ])
        await client.hset(key, ...fields, ...record.flatMap((name) => [name, junk]), PLAN, junk, "day", junk);
      await client.hset(keys.ledger(SYMBOL), "disagrees_since_ms", "1", "last_known_amt", junk);
      for (const key of [
        ...[keys.disarm, keys.orderEpoch, keys.closeWanted(SYMBOL), keys.exchangePause("requests")],
      ])
        await client.set(key, junk, "PX", 60_000);
      problems.push(
        ...(await problemsOf(console, session)).map(
          (problem) => `${JSON.stringify(junk.slice(0, 40))}: ${problem}`,
        ),
      );
    }
    expect(problems).toEqual([]);
    expect(console.log.error.mock.calls.filter(([, text]) => text === "a request failed")).toEqual([]);
  },
  LIMIT_MS,
);
