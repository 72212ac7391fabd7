/** Whatever stands in Redis, the console answers in words: nothing that others write there makes it fail. */
import { createKeys } from "@quantum/contract";
import { fillWithJunk, JUNK, makeKnown, startRedisServer, type TestRedis } from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { ACTION_NAMES } from "./actions.ts";
import { startTestConsole } from "./console.fixture.ts";

const keys = createKeys();
const PLAN = "67e6da21fa9fe506";
const SYMBOL = "BTCUSDT";
const LETTER = "1769301008977-0";
const KNOWN = { symbol: SYMBOL, planId: PLAN, entryId: LETTER };
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
      await makeKnown(client, KNOWN);
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
      await fillWithJunk(client, KNOWN, junk);
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
