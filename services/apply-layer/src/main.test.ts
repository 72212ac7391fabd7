/** The service as a process, with a stand-in for the Python issuers that only sets the two permit keys. */
import { createHash, randomBytes } from "node:crypto";
import { createKeys, planId } from "@quantum/contract";
import { connectForBlocking, disconnect, type RedisClient } from "@quantum/redis";
import { fieldsOf, parseEntries, type RawEntry } from "@quantum/streams";
import { type ServiceProcess, startRedisServer, startService, type TestRedis } from "@quantum/harness";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { PERMITS, proposalFrom, REQUIRED, SYMBOL } from "./script-rig.fixture.ts";

const keys = createKeys();
/** Within it, permits are set by key on a busy machine. */
const WAIT_MS = 2_000;
/** Long enough that a plan still waits when its replica is killed, however busy the machine is. */
const LONG_WAIT_MS = 5_000;
const LOG_MS = 10_000;
/** The deadline plus one sweep, and some time for a busy machine. */
const SWEPT_MS = 15_000;

let server: TestRedis;
let redis: RedisClient;
let running: ServiceProcess[];
beforeEach(async () => {
  server = await startRedisServer();
  redis = connectForBlocking({ url: server.url, name: "test", onError: () => undefined });
  running = [];
});
afterEach(async () => {
  await Promise.all(running.map((service) => service.stop()));
  await disconnect(redis);
  await server.stop();
});

async function start(environment: Record<string, string> = {}): Promise<ServiceProcess> {
  const service = await startService("apply-layer", {
    REDIS_URL: server.url,
    APPLY_METRICS_PORT: "0",
    APPLY_MODE: "paper",
    APPLY_POLL_SEC: "3600",
    APPLY_PERMIT_WAIT_MS: String(WAIT_MS),
    APPLY_PERMIT_STEP_MS: "20",
    ...environment,
  });
  running.push(service);
  return service;
}

/**
 * Publishes a fresh proposal to the stream.
 * @returns its plan's id
 */
async function propose(): Promise<string> {
  const kill_score = String(randomBytes(4).readUInt32BE() / 2 ** 33);
  const last_update_epoch = String(Math.floor(Date.now() / 1000));
  const fields = { harvest_action: "PARTIAL_50", kill_score, last_update_epoch };
  await redis.xadd(keys.streams.proposal, "*", "symbol", SYMBOL, ...Object.entries(fields).flat());
  return planId(proposalFrom(fields));
}

/** Waits for the plan entry like an issuer, and answers only by setting keys. */
async function issueByKeys(plan: string, issuers = REQUIRED): Promise<void> {
  await entryOf(keys.streams.plan, plan);
  for (const issuer of issuers)
    await redis.setex(keys.permit(issuer, plan), 60, JSON.stringify(PERMITS[issuer]));
}

/** The stream's first entry for the plan. */
async function entryOf(stream: string, plan: string): Promise<Record<string, string>> {
  for (let last = "0"; ;) {
    const reply = (await redis.xread("BLOCK", LOG_MS, "STREAMS", stream, last)) as
      | [string, RawEntry[]][]
      | null;
    if (reply === null) throw new Error(`no entry of plan ${plan} on ${stream}`);
    for (const { id, fields } of parseEntries(reply[0]?.[1] ?? [])) {
      if (fields["plan_id"] === plan) return fields;
      last = id;
    }
  }
}

const waitLog = (service: ServiceProcess, plan: string) =>
  service.waitForLog(({ msg }) => msg.startsWith("[PERMIT_WAIT]") && msg.includes(plan), LOG_MS);
const getJson = async (url: string) => {
  const answer = await fetch(url);
  return { status: answer.status, body: (await answer.json()) as Record<string, string> };
};

describe("the apply-layer", () => {
  it("hands over a plan whose permits an issuer only set, and tells its whole story", async () => {
    const service = await start();
    const plan = await propose();
    await issueByKeys(plan);
    const { msg, safe_qty } = await waitLog(service, plan);
    expect(msg).toMatch(
      new RegExp(`^\\[PERMIT_WAIT\\] OK plan=${plan} wait_ms=\\d+ safe_qty=0\\.0080 symbol=BTCUSDT$`),
    );
    expect(safe_qty).toBe("0.008");
    const execute = await entryOf(keys.streams.execute, plan);
    expect(execute).toMatchObject({
      symbol: SYMBOL,
      close_pct: "50",
      safe_qty: "0.008",
      position_amt: "0.011",
    });
    expect(service.logs.map((record) => record.msg)).toContain(
      `BTCUSDT: Plan ${plan} published (decision=EXECUTE, steps=1)`,
    );

    const { status, body } = await getJson(`${service.url}/plans/${plan}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      plan_id: plan,
      state: "PERMITTED",
      governor_verdict: "granted",
      safe_qty: "0.008",
    });
    expect((await getJson(`${service.url}/plans/0123456789abcdef`)).status).toBe(404);
    expect((await getJson(`${service.url}/plans/UPPER`)).status).toBe(400);
    const read = (id: string) => fetch(`${service.url}/plans/${id}`).then((response) => response.text());
    await redis.hset(keys.plan(plan), { extra: "\u009b2J\u202e" });
    expect(await read(plan)).toContain(String.raw`"extra":"\u009b2J\u202e"`);
    await redis.hset(keys.plan(plan), { reason: "\u0001".repeat(300_000), extra: "x" });
    const long = await read(plan);
    expect(long.length).toBeLessThan(20_000);
    expect(long).toContain("… (300000 characters)");
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`f${n}`, "\u0001".repeat(1_500)]));
    await redis.hset(keys.plan(plan), many);
    expect(await read(plan)).toMatch(/^{"error":"the record takes \d+ bytes/);
    await redis.hset(keys.plan(plan), { reason: "x".repeat(2_000_000) });
    expect(await read(plan)).toMatch(/^{"error":"the record takes \d+ bytes/);
    await redis.del(keys.plan(plan));
    expect((await getJson(`${service.url}/readyz`)).status).toBe(200);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain('quantum_permit_wait_ms_count{outcome="ok"} 1');
    expect(metrics).not.toContain(plan);
  });

  it("leaves a bare permit that was written before the plan, and spends it with the others", async () => {
    const service = await start({ APPLY_REQUIRED_PERMITS: "governor,p33,p26", APPLY_BARE_PERMITS: "p26" });
    const fields = { harvest_action: "PARTIAL_50", kill_score: "0.4321", computed_at_utc: "" };
    const proposal = { ...fields, last_update_epoch: String(Math.floor(Date.now() / 1000)) };
    const plan = planId(proposalFrom(proposal));
    await redis.setex(keys.permit("p26", plan), 60, "1");
    await redis.xadd(keys.streams.proposal, "*", "symbol", SYMBOL, ...Object.entries(proposal).flat());
    await issueByKeys(plan);
    expect((await waitLog(service, plan)).msg).toMatch(/^\[PERMIT_WAIT\] OK /);
    expect(await redis.exists(keys.permit("p26", plan))).toBe(0);
    expect((await getJson(`${service.url}/plans/${plan}`)).body).toMatchObject({ p26_reason: "bare_permit" });
  });

  it("blocks a plan whose permit does not come, at its deadline", async () => {
    const service = await start();
    const plan = await propose();
    await issueByKeys(plan, ["governor"]);
    const { msg, wait_ms } = await waitLog(service, plan);
    const head = `\\[PERMIT_WAIT\\] BLOCK plan=${plan} reason=missing_p33 symbol=BTCUSDT`;
    expect(msg).toMatch(new RegExp(`^${head} wait_ms=${String(wait_ms)} gov_ttl=\\d+ p33_ttl=-2$`));
    expect(wait_ms).toBeGreaterThanOrEqual(WAIT_MS);
    expect(await entryOf(keys.streams.result, plan)).toMatchObject({
      decision: "BLOCKED",
      executed: "False",
      error: "missing_p33",
    });
    expect(await redis.xlen(keys.streams.execute)).toBe(0);
  });

  it("puts a proposal that is none into the dead-letter stream, with the reason", async () => {
    await start();
    await redis.xadd(keys.streams.proposal, "*", "symbol", SYMBOL, "kill_score", "0.5");
    await vi.waitFor(async () => expect(await redis.xlen(keys.streams.deadLetter)).toBe(1), {
      timeout: LOG_MS,
    });
    const [[, flat] = ["", []]] = await redis.xrange(keys.streams.deadLetter, "-", "+");
    expect(JSON.stringify(fieldsOf(flat))).toContain("harvest_action is missing");
  });

  it("opens what it finds in the hashes under the same plan id", async () => {
    const fields = {
      harvest_action: "FULL_CLOSE_PROPOSED",
      kill_score: "0.3",
      computed_at_utc: "2026-01-25T00:30:05",
    };
    await redis.hset(keys.proposal(SYMBOL), fields);
    await start({ APPLY_POLL_SEC: "0.1", APPLY_PROPOSAL_MAX_AGE_SEC: "0" });
    const fingerprint = "BTCUSDT:FULL_CLOSE_PROPOSED:0.300000:None:2026-01-25T00:30:05";
    const plan = createHash("sha256").update(fingerprint).digest("hex").slice(0, 16);
    expect(await entryOf(keys.streams.plan, plan)).toMatchObject({ action: "FULL_CLOSE_PROPOSED" });
  });

  it("ends in order on SIGTERM, and leaves what waits to the next one", async () => {
    const service = await start({ APPLY_PERMIT_WAIT_MS: "30000" });
    const plan = await propose();
    await entryOf(keys.streams.plan, plan);
    running = [];
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(service.logs.at(-1)?.msg).toBe("stopped");
    expect(await redis.hget(keys.plan(plan), "state")).toBe("WAITING");

    await issueByKeys(plan);
    const next = await start();
    expect((await waitLog(next, plan)).msg).toContain("] OK ");
    expect(await redis.xlen(keys.streams.execute)).toBe(1);
  });

  it("finishes the plans of a replica that was killed, each once", async () => {
    const first = await start({ INSTANCE: "first", APPLY_PERMIT_WAIT_MS: String(LONG_WAIT_MS) });
    const plans = [await propose(), await propose(), await propose()];
    await Promise.all(plans.map((plan) => entryOf(keys.streams.plan, plan)));
    running = [];
    await first.kill();
    expect(first.logs.filter(({ msg }) => msg.startsWith("[PERMIT_WAIT]"))).toEqual([]);
    const second = await start({ INSTANCE: "second" });
    for (const plan of plans) expect((await waitLog(second, plan)).msg).toContain("reason=missing_both");
    expect(await redis.xlen(keys.streams.result)).toBe(plans.length);
  });

  it("finishes them too when the other replica had been running all along", async () => {
    const [first, second] = [await start({ INSTANCE: "first" }), await start({ INSTANCE: "second" })];
    const plans: string[] = [];
    for (let i = 0; i < 6; i++) plans.push(await propose());
    await Promise.all(plans.map((plan) => entryOf(keys.streams.plan, plan)));
    running = [second];
    await first.kill();
    await vi.waitFor(async () => expect(await redis.xlen(keys.streams.result)).toBe(plans.length), {
      timeout: SWEPT_MS,
    });
    expect(await redis.zcard(keys.waiting(SYMBOL))).toBe(0);
  });

  it("takes up nothing where its port is taken", async () => {
    await redis.hset(keys.proposal(SYMBOL), { harvest_action: "HOLD", kill_score: "0.3" });
    await expect(start({ APPLY_METRICS_PORT: String(server.port) })).rejects.toThrow(
      "address already in use",
    );
    expect(await redis.keys("*")).toEqual([keys.proposal(SYMBOL)]);
  });

  it("works on when the waiting plans of a symbol cannot be read", async () => {
    await redis.sadd(keys.waitingSymbols, "ETHUSDT");
    await redis.set(keys.waiting("ETHUSDT"), "no sorted set");
    const service = await start();
    await service.waitForLog(({ msg }) => msg === "failed to sweep waiting plans, trying again", LOG_MS);
    const plan = await propose();
    await issueByKeys(plan);
    expect((await waitLog(service, plan)).msg).toContain("] OK ");
  });

  it("refuses to start when its configuration is wrong", async () => {
    await expect(start({ APPLY_PERMIT_WAIT: "1" })).rejects.toThrow("APPLY_PERMIT_WAIT is not a variable");
  });

  it("refuses real orders on a Redis that may forget them", async () => {
    await expect(start({ APPLY_MODE: "testnet" })).rejects.toThrow(
      "REDIS_URL is refused for real orders: appendonly is no",
    );
  });
});
