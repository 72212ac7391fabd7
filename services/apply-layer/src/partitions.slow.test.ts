/** The service over three partitions on one server: each plan in its symbol's, and one partition that is away stops no other. */
import { createIntakeKeys, createKeys, type Keys, partitionOf, planId } from "@quantum/contract";
import {
  eventually,
  patienceMs,
  type ServiceProcess,
  startFaultProxy,
  startRedisServer,
  startService,
} from "@quantum/harness";
import { connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { fieldsOf } from "@quantum/streams";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { PERMITS, proposalFrom } from "./script-rig.fixture.ts";

const PARTITIONS = 3;
/** One of each partition, in their order. */
const SYMBOLS = ["TRXUSDT", "BTCUSDT", "ETHUSDT"] as const;
const [FIRST, CUT] = SYMBOLS;
const OTHERS = SYMBOLS.filter((symbol) => symbol !== CUT);
const WIRE = createKeys();
const INTAKE = createIntakeKeys(PARTITIONS);
const GROUP = "apply-layer";
const WAIT = { timeout: patienceMs(15_000), interval: 20 };
/** Longer than any test. */
const LONG_WAIT_MS = "30000";
/** More than are handled at the same time. */
const MANY = 300;

const keysOf = (symbol: string): Keys => createKeys({ partition: partitionOf(symbol, PARTITIONS) });

async function givenServer() {
  const server = await startRedisServer({ partitions: PARTITIONS });
  const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
  onTestFinished(async () => {
    await disconnect(redis);
    await server.stop();
  });
  return { server, redis, pipeline: new Pipeline(redis) };
}

async function start(redisUrl: string, environment: Record<string, string> = {}): Promise<ServiceProcess> {
  const service = await startService("apply-layer", {
    REDIS_URL: redisUrl,
    PARTITIONS: `${PARTITIONS}`,
    APPLY_METRICS_PORT: "0",
    APPLY_MODE: "paper",
    APPLY_POLL_SEC: "3600",
    APPLY_PERMIT_WAIT_MS: LONG_WAIT_MS,
    APPLY_PERMIT_STEP_MS: "20",
    SYMBOLS: SYMBOLS.join(),
    APPLY_ALLOWLIST: SYMBOLS.join(),
    ...environment,
  });
  onTestFinished(async () => void (await service.stop()));
  return service;
}

/** What publishers and issuers do, and what is there. */
class Pipeline {
  readonly #redis: RedisClient;
  #proposed = 0;

  constructor(redis: RedisClient) {
    this.#redis = redis;
  }

  /** @returns the plan's id */
  async propose(symbol: string): Promise<string> {
    const fields = this.fields();
    await this.#redis.xadd(WIRE.streams.proposal, "*", "symbol", symbol, ...Object.entries(fields).flat());
    return planId(proposalFrom(fields, symbol));
  }

  /** Of a proposal like none before. */
  fields() {
    this.#proposed += 1;
    const last_update_epoch = String(Math.floor(Date.now() / 1000));
    return { harvest_action: "PARTIAL_50", kill_score: String(this.#proposed / 100_000), last_update_epoch };
  }

  async issue(symbol: string, plan: string): Promise<void> {
    for (const [issuer, permit] of Object.entries(PERMITS))
      await this.#redis.setex(keysOf(symbol).permit(issuer, plan), 60, JSON.stringify({ ...permit, symbol }));
  }

  async plansIn(symbol: string, stream: "plan" | "execute" | "result" = "plan"): Promise<string[]> {
    const entries = await this.#redis.xrange(keysOf(symbol).streams[stream], "-", "+");
    return entries.map(([, flat]) => fieldsOf(flat)["plan_id"] ?? "");
  }

  async opened(symbol: string, plans: readonly string[]): Promise<void> {
    const areThere = async () => (await this.plansIn(symbol)).join() === plans.join() || undefined;
    await eventually(areThere, WAIT.timeout, `the plans of ${symbol}: ${plans.join()}`);
  }

  async pending(): Promise<number> {
    const [count] = (await this.#redis.xpending(WIRE.streams.proposal, GROUP)) as [number];
    return count;
  }
}

const metric = async ({ url }: ServiceProcess, name: string) => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
};

describe("an apply-layer of three partitions", () => {
  it("opens, spends and tells each plan in its symbol's partition, and keeps nothing on the wire", async () => {
    const { server, redis, pipeline } = await givenServer();
    expect(SYMBOLS.map((symbol) => partitionOf(symbol, PARTITIONS))).toEqual([0, 1, 2]);
    const service = await start(server.url);
    for (const symbol of SYMBOLS) {
      const plan = await pipeline.propose(symbol);
      await pipeline.opened(symbol, [plan]);
      await pipeline.issue(symbol, plan);
      const said = await service.waitForLog(
        ({ msg }) => msg.startsWith(`[PERMIT_WAIT] OK plan=${plan}`),
        WAIT.timeout,
      );
      expect(said.msg).toMatch(new RegExp(`safe_qty=0\\.0080 symbol=${symbol}$`));
      expect(await pipeline.plansIn(symbol, "execute")).toEqual([plan]);
      const told = await fetch(`${service.url}/plans/${plan}`);
      expect(await told.json()).toMatchObject({ plan_id: plan, symbol, state: "PERMITTED" });
    }
    expect((await fetch(`${service.url}/plans/0123456789abcdef`)).status).toBe(404);
    const untagged = (await redis.keys("quantum:*")).filter((key) => !/\{q\d\}/.test(key));
    expect(untagged.toSorted()).toEqual(["quantum:partitions", WIRE.streams.proposal]);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  });

  it("opens what is in the hashes, once", async () => {
    const { server, redis, pipeline } = await givenServer();
    const plans = new Map<string, string>();
    for (const symbol of SYMBOLS) {
      const fields = pipeline.fields();
      await redis.hset(WIRE.proposal(symbol), fields);
      plans.set(symbol, planId(proposalFrom(fields, symbol)));
    }
    const service = await start(server.url, { APPLY_POLL_SEC: "0.1" });
    for (const symbol of SYMBOLS) await pipeline.opened(symbol, [plans.get(symbol) ?? ""]);
    expect(await metric(service, "quantum_apply_dedupe_hits_total")).toBe(0);
  });

  it("finds the plan of a proposal that comes again, and acknowledges it", async () => {
    const { server, redis, pipeline } = await givenServer();
    const service = await start(server.url);
    const plans: string[] = [];
    for (const symbol of SYMBOLS) plans.push(await pipeline.propose(symbol));
    for (const [index, symbol] of SYMBOLS.entries()) await pipeline.opened(symbol, [plans[index] ?? ""]);
    // One that is still in hand would not be handled twice.
    await vi.waitFor(async () => expect(await pipeline.pending()).toBe(0), WAIT);
    await redis.xgroup("SETID", WIRE.streams.proposal, GROUP, "0");
    // A new one ends the read that waits.
    const last = await pipeline.propose(FIRST);
    await pipeline.opened(FIRST, [plans[0] ?? "", last]);
    await vi.waitFor(async () => {
      expect(await metric(service, "quantum_apply_dedupe_hits_total")).toBe(SYMBOLS.length);
      expect(await pipeline.pending()).toBe(0);
    }, WAIT);
    for (const [index, symbol] of OTHERS.slice(1).entries())
      expect(await pipeline.plansIn(symbol)).toEqual([plans[index + 2]]);
  });

  it("puts a proposal that is none beside its stream, with the reason", async () => {
    const { server, redis, pipeline } = await givenServer();
    const service = await start(server.url);
    const id = await redis.xadd(WIRE.streams.proposal, "*", "symbol", FIRST, "kill_score", "0.5");
    await vi.waitFor(async () => expect(await redis.xlen(INTAKE.streams.deadLetter)).toBe(1), WAIT);
    const [[, flat] = ["", []]] = await redis.xrange(INTAKE.streams.deadLetter, "-", "+");
    expect(fieldsOf(flat)).toMatchObject({
      stream: WIRE.streams.proposal,
      entry_id: id,
      "entry.symbol": FIRST,
    });
    expect(fieldsOf(flat)["reason"]).toContain("harvest_action is missing");
    expect(await pipeline.pending()).toBe(0);
    expect(await redis.exists(WIRE.streams.deadLetter, keysOf(FIRST).streams.deadLetter)).toBe(0);
    expect(await metric(service, "quantum_dead_letters")).toBe(1);
  });

  it("ends what a killed one left, in every partition, each plan once", async () => {
    const { server, pipeline } = await givenServer();
    const waitMs = { APPLY_PERMIT_WAIT_MS: "5000" };
    const first = await start(server.url, { INSTANCE: "first", ...waitMs });
    const plans = new Map<string, string>();
    for (const symbol of SYMBOLS) plans.set(symbol, await pipeline.propose(symbol));
    for (const [symbol, plan] of plans) await pipeline.opened(symbol, [plan]);
    await first.kill();
    const second = await start(server.url, { INSTANCE: "second", ...waitMs });
    for (const [symbol, plan] of plans) {
      const said = await second.waitForLog(({ msg }) => msg.includes(`BLOCK plan=${plan}`), WAIT.timeout);
      expect(said.msg).toContain("reason=missing_both");
      expect(await pipeline.plansIn(symbol, "result")).toEqual([plan]);
    }
  });

  it("goes on in the others while one does not answer, whose proposals are all opened once it does", async () => {
    const { server, redis, pipeline } = await givenServer();
    const tag = `{q${partitionOf(CUT, PARTITIONS)}}`;
    let isCut = false;
    const proxy = await startFaultProxy({
      upstream: { port: server.port },
      protocol: "resp",
      // Such a connection is half-open from then on. All keys of one are in one partition.
      onFrame: ({ direction, summary }) =>
        isCut && direction === "request" && summary.includes(tag) ? "hold" : "pass",
    });
    onTestFinished(() => proxy.close());
    const service = await start(server.url.replace(`:${server.port}`, `:${proxy.port}`));
    isCut = true;
    const held: string[] = [];
    for (let n = 0; n < MANY; n += 1) held.push(await pipeline.propose(CUT));
    for (const symbol of OTHERS) {
      const plan = await pipeline.propose(symbol);
      await pipeline.opened(symbol, [plan]);
      await pipeline.issue(symbol, plan);
      await service.waitForLog(({ msg }) => msg.startsWith(`[PERMIT_WAIT] OK plan=${plan}`), WAIT.timeout);
      expect((await fetch(`${service.url}/plans/${plan}`)).status).toBe(200);
    }
    expect(await pipeline.plansIn(CUT)).toEqual([]);
    expect(await pipeline.pending()).toBe(MANY);
    // One that were tried in its place until its partition answers would keep that place from others.
    const repeated = service.logs.filter(({ msg }) => msg.startsWith("failed to handle"));
    expect(repeated).toEqual([]);
    const { problems } = (await (await fetch(`${service.url}/readyz`)).json()) as { problems: string[] };
    expect(problems.join("; ")).toContain("partition q1");

    isCut = false;
    await vi.waitFor(async () => {
      expect((await pipeline.plansIn(CUT)).toSorted()).toEqual(held.toSorted());
      expect(await pipeline.pending()).toBe(0);
    }, WAIT);
    expect(await redis.exists(INTAKE.streams.deadLetter)).toBe(0);
    for (const symbol of OTHERS) expect(await pipeline.plansIn(symbol)).toHaveLength(1);
  });
});
