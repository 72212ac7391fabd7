/** The executor as a separate process. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectForCommands, disconnect } from "@quantum/redis";
import { startService } from "@quantum/harness";
import { newKey } from "@quantum/signing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KEY, type Rig, SECRET, startRig } from "./rig.fixture.ts";

const LOG_TIMEOUT_MS = 10_000;

let rig: Rig;
let dir: string;

beforeAll(async () => {
  rig = await startRig();
  dir = await mkdtemp(join(tmpdir(), "quantum-executor-"));
});
afterAll(async () => {
  await rig.stop();
  await rm(dir, { recursive: true });
});

const start = (over: Record<string, string> = {}) =>
  startService("executor", {
    REDIS_URL: rig.server.url,
    BINANCE_BASE_URL: rig.sim.url,
    BINANCE_TESTNET_API_KEY: KEY,
    BINANCE_TESTNET_API_SECRET: SECRET,
    EXECUTOR_METRICS_PORT: "0",
    EXECUTOR_MODE: "paper",
    EXECUTOR_ISSUER_KEYS_FILE: rig.publicKeysFile,
    EXECUTOR_STATE_DIR: join(dir, "state"),
    INSTANCE: "executor-1",
    ...over,
  });

describe("the service", () => {
  it("executes, says so in the words and metrics that operators grep, and stops cleanly", async () => {
    const service = await start();
    const symbol = rig.freshSymbol();
    const entry = await rig.spend({ symbol });
    await rig.publish(entry);
    await service.waitForLog(
      ({ msg }) => msg === `${symbol}: Result published (executed=True, error=None)`,
      LOG_TIMEOUT_MS,
    );
    const [order] = await rig.ordersOf(entry);
    const line = `${symbol}: Order ${order?.orderId} executed successfully`;
    expect(service.logs.filter(({ msg }) => msg === line)).toHaveLength(1);

    const get = async (path: string) => fetch(`${service.url}${path}`);
    expect((await get("/readyz")).status).toBe(200);
    const metrics = await (await get("/metrics")).text();
    expect(metrics).toContain(`quantum_order_outcomes_total{outcome="EXECUTED",reason="none"} 1`);
    expect(metrics).toContain("quantum_orders_in_doubt 0");
    expect(metrics).toMatch(/quantum_orders_settled_total\{by="(event|query)"\} 1/);
    expect(metrics).toContain(
      `quantum_exchange_call_seconds_count{endpoint="order",outcome="acknowledged"} 1`,
    );
    expect(metrics).not.toContain(entry.plan_id);
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  it("is ready without the operators' keys, and says in Redis and metrics when they are enrolled", async () => {
    const file = join(dir, "operators.json");
    const service = await start({ EXECUTOR_OPERATOR_KEYS_FILE: file, EXIT_DRILL_DAYS: "7" });
    const get = async (path: string) => fetch(`${service.url}${path}`);
    const keys = () => rig.redis.hget(rig.keys.exit, "keys");
    await expect.poll(keys, { timeout: LOG_TIMEOUT_MS }).toBe("0");
    expect((await get("/readyz")).status).toBe(200);
    await newKey({ issuer: "alice", privateFile: join(dir, "operator-alice.pem"), publicFile: file });
    await expect.poll(keys, { timeout: LOG_TIMEOUT_MS }).toBe("1");
    const metrics = await (await get("/metrics")).text();
    for (const line of [
      "quantum_exit_keys 1",
      "quantum_exit_last_drill_timestamp_seconds 0",
      "quantum_exit_drill_max_age_seconds 604800",
    ])
      expect(metrics).toContain(line);
    await service.stop();
  });

  it("is not ready after a call that the exchange did not answer, until one is answered", async () => {
    // So that it queries.
    await rig.streamFault({ kind: "disconnect", ms: 60_000 });
    const service = await start();
    const readiness = async () => (await fetch(`${service.url}/readyz`)).json();
    const symbol = rig.freshSymbol();
    await rig.fault({ kind: "503_after", symbol });
    // Some seconds of them, in which the readiness is read.
    await rig.fault({ kind: "503_before", path: "GET /fapi/v1/order", count: 4, symbol });
    await rig.publish(await rig.spend({ symbol }));
    await expect
      .poll(readiness, { timeout: LOG_TIMEOUT_MS })
      .toMatchObject({ problems: [expect.stringContaining("the exchange gave no usable answer: HTTP 503")] });
    await expect.poll(readiness, { timeout: LOG_TIMEOUT_MS }).toMatchObject({ status: "ready" });
    await service.stop();
    await rig.clearStreamFaults();
  });

  it("sends nothing in the mode that it has by default, and ends the plan", async () => {
    const service = await start({ EXECUTOR_MODE: "", EXECUTOR_ISSUER_KEYS_FILE: "" });
    const entry = await rig.spend({ symbol: rig.freshSymbol() });
    const entryId = await rig.publish(entry);
    await service.waitForLog(({ msg }) => msg?.includes("are not believed") ?? false, LOG_TIMEOUT_MS);
    await service.stop();
    const result = await rig.expectEnded(entry, entryId, "NOT_PLACED", "permit_forged");
    expect(result).toMatchObject({
      detail: expect.stringContaining("no key of governor is known") as string,
    });
    expect(await rig.ordersOf(entry)).toEqual([]);
  });

  it("believes no signature of the issuers that are named as unable to sign, says so, and shows how many", async () => {
    const service = await start({ EXECUTOR_ISSUER_KEYS_FILE: "", EXECUTOR_UNSIGNED_ISSUERS: "governor,p33" });
    const symbol = rig.freshSymbol();
    const entry = await rig.spend({ symbol, signed: "" });
    await rig.publish(entry);
    const line = `${symbol}: Result published (executed=True, error=None)`;
    await service.waitForLog(({ msg }) => msg === line, LOG_TIMEOUT_MS);
    expect(service.logs.map(({ msg }) => msg)).toContainEqual(
      expect.stringContaining("permits of governor, p33 are believed without a signature"),
    );
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain("quantum_executor_unsigned_issuers 2");
    await service.stop();
  });

  it("does not start where Redis does not tell whether it has forgotten orders", async () => {
    const redis = connectForCommands({ url: rig.server.url, name: "test", onError: () => undefined });
    await redis.acl("SETUSER", "blind", "on", ">secret", "~*", "+@all", "-info");
    const url = `redis://blind:secret@127.0.0.1:${rig.server.port}`;
    await expect(start({ REDIS_URL: url })).rejects.toThrow("REDIS_URL: its user needs the right to INFO");
    await redis.acl("DELUSER", "blind");
    await disconnect(redis);
  });

  it("stands by for the one that owns the orders, ready, and takes over when that one stops", async () => {
    const first = await start();
    await expect(start({ INSTANCE: "executor-2" })).rejects.toThrow(
      /EXECUTOR_STATE_DIR=.*: another executor uses it/,
    );
    const second = await start({ INSTANCE: "executor-2", EXECUTOR_STATE_DIR: join(dir, "second") });
    const get = async (path: string) => fetch(`${second.url}${path}`);
    const ready = await get("/readyz");
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { status: "ready", problems: [], note: "standing by for executor-1" },
    ]);
    expect(await (await get("/metrics")).text()).toContain("quantum_executor_owner 0");
    await first.stop();
    await second.waitForLog(({ msg }) => msg.startsWith("owns the orders"), LOG_TIMEOUT_MS);
    const symbol = rig.freshSymbol();
    await rig.publish(await rig.spend({ symbol }));
    await second.waitForLog(
      ({ msg }) => msg === `${symbol}: Result published (executed=True, error=None)`,
      LOG_TIMEOUT_MS,
    );
    expect(await (await get("/readyz")).json()).toEqual({ status: "ready", problems: [] });
    expect(await (await get("/metrics")).text()).toContain("quantum_executor_owner 1");
    await second.stop();
  });

  it("takes up nothing where its port is taken", async () => {
    const over = { EXECUTOR_METRICS_PORT: String(rig.server.port), REDIS_URL: `${rig.server.url}/1` };
    await expect(start(over)).rejects.toThrow("address already in use");
    const redis = connectForCommands({ url: over.REDIS_URL, name: "test", onError: () => undefined });
    expect(await redis.keys("*:repeat*")).toEqual([]);
    await disconnect(redis);
  });

  it.each([
    ["without a folder for its journal", { EXECUTOR_STATE_DIR: "" }, /EXECUTOR_STATE_DIR: is required/],
    ["with a folder that depends on where it is started", { EXECUTOR_STATE_DIR: "state" }, /absolute path/],
    [
      "with a folder that cannot be made",
      { EXECUTOR_STATE_DIR: "/proc/state" },
      /EXECUTOR_STATE_DIR=.*: must be a folder/,
    ],
    ["without a venue", { BINANCE_BASE_URL: "" }, /BINANCE_BASE_URL: is required/],
    ["at a production host", { BINANCE_BASE_URL: "https://fapi.binance.com" }, /production is refused/],
    ["with a misspelt variable", { EXECUTOR_LOGLEVEL: "INFO" }, /did you mean EXECUTOR_LOG_LEVEL/],
    [
      "with a timeout beyond the window",
      { EXECUTOR_TIMEOUT_MS: "5000" },
      /must be below EXECUTOR_RECV_WINDOW_MS/,
    ],
    [
      "for real orders on a Redis that forgets",
      { BINANCE_BASE_URL: "https://testnet.binancefuture.com", EXECUTOR_MODE: "testnet" },
      /REDIS_URL is refused for real orders: appendonly is no/,
    ],
    [
      "for paper plans at a real venue",
      { BINANCE_BASE_URL: "https://testnet.binancefuture.com" },
      /EXECUTOR_MODE=paper, but BINANCE_BASE_URL=\S+ is not a simulated exchange/,
    ],
    [
      "for orders without the issuers' keys",
      { EXECUTOR_ISSUER_KEYS_FILE: "", EXECUTOR_UNSIGNED_ISSUERS: "governor" },
      /EXECUTOR_ISSUER_KEYS_FILE is required in EXECUTOR_MODE=paper, to verify the permits of p33;/,
    ],
    [
      "with a list of keys that lacks an issuer",
      { EXECUTOR_REQUIRED_ISSUERS: "governor,p33,p26" },
      /EXECUTOR_ISSUER_KEYS_FILE: \S+ lists no key of p26/,
    ],
    [
      "without the issuer of the quantity",
      { EXECUTOR_REQUIRED_ISSUERS: "governor" },
      /EXECUTOR_REQUIRED_ISSUERS=governor lacks p33/,
    ],
    [
      "with an unsigned issuer that is not required",
      { EXECUTOR_UNSIGNED_ISSUERS: "p26" },
      /EXECUTOR_UNSIGNED_ISSUERS=p26 names p26, which EXECUTOR_REQUIRED_ISSUERS=governor,p33 does not/,
    ],
  ])("refuses to start %s", async (_, over, why) => {
    await expect(start(over)).rejects.toThrow(why);
  });

  it("refuses an account in hedge mode", async () => {
    const answers: Record<string, object> = {
      "/fapi/v1/time": { serverTime: Date.now() },
      "/fapi/v1/exchangeInfo": { symbols: [] },
      "/fapi/v1/positionSide/dual": { dualSidePosition: true },
    };
    const venue = createServer((request, response) => {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answers[request.url?.split("?")[0] ?? ""] ?? {}));
    });
    await new Promise<void>((resolve) => venue.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(venue.address() as AddressInfo).port}`;
    await expect(start({ BINANCE_BASE_URL: url })).rejects.toThrow(/hedge mode/);
    venue.closeAllConnections();
    await new Promise((resolve) => venue.close(resolve));
  });
});
