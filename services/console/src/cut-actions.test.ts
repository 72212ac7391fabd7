/** The way to Redis is cut before each command and after each answer of an action: what the operator is told is so. */
import { createKeys } from "@quantum/contract";
import {
  type FaultProxy,
  type ProxyFrame,
  startFaultProxy,
  startRedisServer,
  type TestRedis,
  urlOfUser,
} from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startTestConsole, type TestConsole } from "./console.fixture.ts";

const keys = createKeys();
const PLAN = "67e6da21fa9fe506";
const LIMIT_MS = 60_000;
const REASON = "a drill";
/** More frames than any action's connection has. */
const FRAMES_MAX = 60;

type Cut = Pick<ProxyFrame, "direction" | "index"> | undefined;

let redis: TestRedis;
let client: RedisClient;
let proxy: FaultProxy;
let cut: Cut;
let frames = { request: 0, reply: 0 };
beforeAll(async () => {
  redis = await startRedisServer();
  client = connectForCommands({ url: redis.url, name: "test", onError: () => undefined });
  proxy = await startFaultProxy({
    upstream: { port: Number(new URL(redis.url).port) },
    protocol: "resp",
    onFrame: ({ direction }) => {
      frames[direction] += 1;
      if (cut?.direction !== direction || cut.index !== frames[direction]) return "pass";
      setImmediate(() => proxy.reset());
      return "hold";
    },
  });
});
afterAll(async () => {
  await proxy.close();
  await disconnect(client);
  await redis.stop();
});

const letters = async () => {
  await client.xgroup("CREATE", keys.streams.plan, "governor", "0", "MKSTREAM");
  const ids: string[] = [];
  for (let n = 0; n < 3; n += 1) {
    const id = await client.xadd(keys.streams.plan, "*", "plan_id", PLAN);
    const letter = [
      "stream",
      keys.streams.plan,
      "group",
      "governor",
      "entry_id",
      String(id),
      "reason",
      "bad",
    ];
    ids.push(String(await client.xadd(keys.streams.deadLetter, "*", ...letter)));
  }
  return { ids };
};
const ACTIONS: Readonly<Record<string, () => Promise<object>>> = {
  "kill-on": async () => ({}),
  "kill-off": async () => {
    await client.set(keys.killSwitch, "1");
    return {};
  },
  "disarm-clear": async () => {
    await client.set(keys.disarm, JSON.stringify({ reason: "burst", timestamp: 1 }));
    return {};
  },
  "exchange-resume": async () => {
    const pause = JSON.stringify({ reason: "HTTP 418", since_ms: 1 });
    await client.set(keys.exchangePause("requests"), pause, "PX", 600_000);
    return {};
  },
  force: async () => {
    await client.set(keys.dedupe(PLAN), "1");
    await client.hset(keys.plan(PLAN), { state: "BLOCKED", symbol: "BTCUSDT" });
    return { planId: PLAN };
  },
  requeue: letters,
  drop: letters,
};

/** All that an action may change. */
async function state(): Promise<string> {
  const pending = await client.xpending(keys.streams.plan, "governor").catch(() => []);
  return JSON.stringify([
    await client.mget(keys.killSwitch, keys.disarm, keys.dedupe(PLAN), keys.exchangePause("requests")),
    await client.xrange(keys.streams.deadLetter, "-", "+"),
    await client.xlen(keys.streams.operatorAudit),
    pending[0] ?? 0,
  ]);
}

async function tellsTheTruth(console: TestConsole, session: Record<string, string>, name: string, at: Cut) {
  await client.flushall();
  const body = { ...(await ACTIONS[name]?.()), reason: REASON };
  const before = await state();
  frames = { request: 0, reply: 0 };
  cut = at;
  const answer = await console.act(name, body, session);
  cut = undefined;
  const isChanged = (await state()) !== before;
  const claim = answer.text.includes("nothing was changed")
    ? !isChanged
    : answer.status === 200
      ? isChanged
      : answer.text.includes("not known");
  return {
    told: `${name}, ${JSON.stringify(at)}: ${answer.status} ${answer.text}, changed: ${isChanged}`,
    claim,
  };
}

it.each(Object.keys(ACTIONS))(
  "%s",
  async (name) => {
    const url = new URL(redis.url);
    url.port = String(proxy.port);
    const console = await startTestConsole(redis, {
      env: { CONSOLE_OPERATOR_REDIS_URL: urlOfUser(url.href, "operator") },
    });
    const session = await console.login("ann");
    const whole = await tellsTheTruth(console, session, name, undefined);
    expect(whole).toMatchObject({ claim: true, told: expect.stringContaining(": 200 ") });
    const { request, reply } = frames;
    expect(Math.max(request, reply)).toBeLessThan(FRAMES_MAX);
    const lies: string[] = [];
    for (const [direction, count] of Object.entries({ request, reply }))
      for (let index = 1; index <= count; index += 1) {
        const at = { direction: direction as "request" | "reply", index };
        const { told, claim } = await tellsTheTruth(console, session, name, at);
        if (!claim) lies.push(told);
      }
    expect(lies).toEqual([]);
  },
  LIMIT_MS,
);
