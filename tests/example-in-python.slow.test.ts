/** examples/issuer.py beside the real issuers: it reads, writes and signs as docs/wire.md says, in every layout. */
import { once } from "node:events";
import { join } from "node:path";
import { createKeys, slotOf } from "@quantum/contract";
import {
  addIssuerUser,
  addRunKey,
  endProcess,
  keepRunning,
  patienceMs,
  spawnGuarded,
  urlOfUser,
} from "@quantum/harness";
import { type Rig, type RigRedis, startRig, SYMBOLS } from "@quantum/harness/rig";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ALL_VALID, runWithExample } from "./example-run.ts";
import { PYTHON, WITHOUT_PYTHON } from "./python-with-redis.ts";

const PLANS = 50;
const MAIN = join(import.meta.dirname, "../examples/issuer.py");
const FROZEN = "BTCUSDT";
const WAIT = { timeout: patienceMs(30_000), interval: 50 };

/** As docs/deployment.md says. */
const SENTINEL_USER = [
  "guard",
  "on",
  ">a&b",
  "-@all",
  "+sentinel|master",
  "+sentinel|get-master-addr-by-name",
] as const;

/** Starts it under a Redis user of its own, as docs/issuers.md says. @returns how to end it */
async function startExample(rig: Rig<RigRedis>, partitions: number): Promise<() => Promise<unknown>> {
  for (const port of await portsOf(rig))
    await at(port, (client) => addIssuerUser(client, "example", partitions));
  const { redis } = rig;
  let url = urlOfUser(rig.redisUrl, "example");
  if ("sentinelPorts" in redis) {
    for (const port of redis.sentinelPorts)
      await at(port, (client) => client.acl("SETUSER", ...SENTINEL_USER));
    url += "?sentinel_user=guard&sentinel_password=a%26b";
  }
  const child = await spawnGuarded(PYTHON ?? "", [MAIN], {
    env: {
      REDIS_URL: url,
      PARTITIONS: `${partitions}`,
      BINANCE_BASE_URL: rig.venueUrl,
      EXAMPLE_SIGNING_KEY_FILE: join(rig.keysFolder, "example.pem"),
      EXAMPLE_FROZEN_SYMBOLS: FROZEN,
    },
    ending: "watched",
  });
  child.stdout.resume();
  child.stderr.resume();
  return () => endProcess(child, "SIGTERM");
}

async function at(port: number, run: (client: RedisClient) => Promise<unknown>): Promise<void> {
  const client = connectForCommands({
    url: `redis://127.0.0.1:${port}`,
    name: "test",
    onError: () => undefined,
  });
  await run(client);
  await disconnect(client);
}

/** Of every server. */
async function portsOf({ redis, client }: Rig<RigRedis>): Promise<readonly number[]> {
  if ("ports" in redis) return redis.ports;
  if ("port" in redis) return [redis.port];
  const replicas = (await client.info("replication")).matchAll(/^slave\d+:ip=[^,]+,port=(\d+)/gm);
  return [await redis.masterPort(), ...[...replicas].map(([, port]) => Number(port))];
}

describe.skipIf(PYTHON === undefined)(`the issuer in Python${WITHOUT_PYTHON}`, () => {
  it.each<{ partitions: number; redis: RigRedis }>([
    { partitions: 1, redis: "lone" },
    { partitions: 6, redis: "lone" },
    { partitions: 1, redis: "sentinel" },
    { partitions: 6, redis: "cluster" },
  ])(
    "permits all but frozen symbols, and the executor verifies what it signs: $partitions partitions, $redis",
    async (layout) => {
      const { history, signatures } = await runWithExample({
        issuer: "example",
        plans: PLANS,
        start: (_, rig) => startExample(rig, layout.partitions),
        ...layout,
      });
      const blocked = history.results.filter(({ reason }) => reason === "example_permit_denied");
      expect(blocked.length).toBeGreaterThan(0);
      expect(new Set(blocked.map(({ symbol }) => symbol))).toEqual(new Set([FROZEN]));
      const executed = signatures.filter((found) => found === ALL_VALID);
      expect(executed.length).toBe(signatures.length - blocked.length);
    },
  );

  it("does not start where there is another number of partitions", async () => {
    const rig = await startRig({ partitions: 6 });
    onTestFinished(() => rig.stop());
    await rig.client.set(createKeys().partitions, "6");
    const child = await spawnGuarded(PYTHON ?? "", [MAIN], {
      env: { REDIS_URL: rig.redisUrl, PARTITIONS: "3" },
      ending: "watched",
    });
    let said = "";
    child.stderr.on("data", (text: Buffer) => (said += String(text)));
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(1);
    expect(said).toContain("PARTITIONS=3: quantum:partitions says '6'");
    expect(await rig.client.keys("*apply.plan")).toEqual([]);
  });

  it.each<{ partitions: number; redis: "cluster" | "sentinel" }>([
    { partitions: 6, redis: "cluster" },
    { partitions: 1, redis: "sentinel" },
  ])("answers at the next master when one has died: $redis", async ({ partitions, redis: kind }) => {
    const rig = await startRig<"cluster" | "sentinel">({ partitions, redis: kind });
    onTestFinished(() => rig.stop());
    await addRunKey(rig.keysFolder, "example");
    if (partitions > 1) {
      const { partitions: key } = createKeys();
      await rig.stored.connectTo(key).set(key, partitions);
    }
    const stop = await startExample(rig, partitions);
    onTestFinished(async () => void (await stop()));
    for (const symbol of SYMBOLS) expect(await verdictOn(rig, symbol)).toBe(symbol !== FROZEN);

    const [symbol = ""] = SYMBOLS.filter((name) => name !== FROZEN);
    const { keys } = rig.stored.partitions.of(symbol);
    const { redis } = rig;
    await ("ports" in redis ? redis.killMaster(slotOf(keys.streams.plan)) : redis.killMaster());
    for (const name of SYMBOLS) expect(await verdictOn(rig, name)).toBe(name !== FROZEN);
  });
});

/** In one step, as `open` does it. */
const PUBLISH = `redis.call('HSET', KEYS[2], 'state', 'WAITING', 'attempt', redis.call('XADD', KEYS[1], '*', unpack(ARGV)))`;
let plans = 0;

/** Publishes a plan of this symbol where there is no apply-layer. @returns whether it is permitted, once it is answered */
async function verdictOn(rig: Rig<RigRedis>, symbol: string): Promise<boolean> {
  const { redis, keys } = rig.stored.partitions.of(symbol);
  const marks = await vi.waitFor(() => keepRunning(redis, [keys]), WAIT);
  try {
    const plan_id = (plans += 1).toString(16).padStart(16, "0");
    const steps =
      '[{"step": "CLOSE_PARTIAL_25", "type": "market_reduce_only", "side": "close", "pct": 25.0}]';
    const entry = { plan_id, symbol, action: "PARTIAL_25", kill_score: "0.7", decision: "EXECUTE", steps };
    const fields = Object.entries(entry).flat();
    await redis.eval(PUBLISH, 2, keys.streams.plan, keys.plan(plan_id), ...fields);
    return await vi.waitFor(async () => {
      const permit = JSON.parse((await redis.get(keys.permit("example", plan_id))) ?? "") as {
        allow: boolean;
      };
      return permit.allow;
    }, WAIT);
  } finally {
    await marks.stop();
  }
}
