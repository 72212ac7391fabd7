/** What the scripts really write, over plans of every outcome, is what `records.ts` says: no field more, none less. */
import {
  type HashRecord,
  type Keys,
  ledgerRecord,
  orderRecord,
  planRecord,
  readableFields,
  schemaNameOf,
  snapshotRecord,
} from "@quantum/contract";
import { createBinanceExchange } from "@quantum/exchange";
import { eventually, RUN_OPERATOR } from "@quantum/harness";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  bringAbout,
  type Pipeline,
  propose,
  reached,
  startPipeline,
} from "../cli/permitctl/src/outcomes.fixture.ts";
import { endDoubt, openDrill, openExit } from "@quantum/operator";
import { Partitions } from "@quantum/service-kit";
import { loadSigningKey } from "@quantum/signing";
import { operatorKeyFile } from "@quantum/topology";

const PATIENCE_MS = 30_000;
const RECV_WINDOW_MS = 5_000;
const SETUP_MS = 120_000;

const RECORDS: [name: string, record: HashRecord, pattern: (keys: Keys) => string][] = [
  ["the plan's record", planRecord, (keys) => keys.plan("*")],
  ["the order's claim", orderRecord, (keys) => keys.order("?".repeat(16))],
  ["the snapshot", snapshotRecord, (keys) => keys.snapshot("*")],
  ["the ledger", ledgerRecord, (keys) => keys.ledger("*")],
];

let pipeline: Pipeline;
/** Every hash of each record, each as often as it was looked at: some fields are gone when an order has ended. */
const seen = new Map<string, Map<string, Record<string, string>[]>>();

async function look(): Promise<void> {
  const { client, keys } = pipeline.rig;
  for (const [name, , pattern] of RECORDS) {
    const hashes = seen.get(name) ?? new Map<string, Record<string, string>[]>();
    seen.set(name, hashes);
    for (const key of await client.keys(pattern(keys)))
      hashes.set(key, [...(hashes.get(key) ?? []), await client.hgetall(key)]);
  }
}

/** Its order never reaches the exchange, counts as absent, and shows up all the same. */
async function correct(): Promise<void> {
  const { rig, sim } = pipeline;
  const symbol = "ETHUSDT";
  await sim("/sim/faults", { kind: "503_before", symbol });
  const planId = await propose(rig, symbol, "PARTIAL_25");
  const field = async (name: string) => (await rig.client.hget(rig.keys.order(planId), name)) ?? undefined;
  await eventually(() => field("absent_at_ms"), PATIENCE_MS, "the exchange denies the order");
  await look();
  await reached(rig, planId, "NOT_PLACED");
  await look();
  const exchange = createBinanceExchange({
    baseUrl: rig.venueUrl,
    apiKey: "sim-key",
    apiSecret: "sim-secret",
    recvWindowMs: RECV_WINDOW_MS,
    timeoutMs: 4_000,
  });
  const order = await rig.client.hgetall(rig.keys.order(planId));
  await exchange.placeReduceOnlyMarket({
    symbol,
    side: order["side"] === "SELL" ? "SELL" : "BUY",
    quantity: order["quantity"] ?? "",
    clientOrderId: order["client_order_id"] ?? "",
    timestampMs: exchange.now(),
    recvWindowMs: RECV_WINDOW_MS,
  });
  await eventually(() => field("corrected_at_ms"), PATIENCE_MS, "the order is adopted");
}

/** An operator looks, and closes. */
async function exit(): Promise<void> {
  const { rig } = pipeline;
  const place = { redis: rig.client, keys: rig.keys };
  const partitions = new Partitions([
    { name: "", number: 0, ...place, connectForBlocking: () => rig.client.duplicate() },
  ]);
  const access = { partitions, intake: place, redisOf: () => rig.client };
  const key = await loadSigningKey(join(rig.keysFolder, operatorKeyFile(RUN_OPERATOR)));
  const signer = { operator: RUN_OPERATOR, key, mode: "paper", venue: "simulated", account: "main" };
  const by = { who: "me", reason: "to see what is written" };
  const order = { action: "exit.close", symbol: "BTCUSDT", position: "0.01", quantity: "0.001" } as const;
  for (const open of [() => openDrill(access, signer, by), () => openExit(access, signer, order, by)]) {
    const { planId } = await open();
    const ended = async () => (await rig.client.hget(rig.keys.plan(planId), "ended_at_ms")) ?? undefined;
    await eventually(ended, PATIENCE_MS, "the exit ends");
    await look();
  }
}

/** Two issuers more, which set keys and stamp no record; the second one's cap is below the safe quantity. */
async function permitsByKey(): Promise<void> {
  const { rig, service } = pipeline;
  await service("apply-layer").stop();
  await rig.start("apply-layer", {
    APPLY_MODE: "dry_run",
    APPLY_POLL_SEC: "0.2",
    APPLY_PERMIT_WAIT_MS: "5000",
    APPLY_REQUIRED_PERMITS: "governor,p33,p26,desk",
    APPLY_BARE_PERMITS: "p26",
  });
  const planId = await propose(rig, "BTCUSDT", "PARTIAL_50");
  await reached(rig, planId, "WAITING");
  await rig.client.set(rig.keys.permit("p26", planId), "1", "EX", 60);
  const permit = { allow: true, symbol: "BTCUSDT", computed_qty: 0.001 };
  await rig.client.set(rig.keys.permit("desk", planId), JSON.stringify(permit), "EX", 60);
  await reached(rig, planId, "DRY_RUN");
}

beforeAll(async () => {
  pipeline = await startPipeline();
  await correct();
  const { UNKNOWN: inDoubt } = await bringAbout(pipeline);
  const { client, keys } = pipeline.rig;
  await endDoubt(
    { redis: client, keys: keys },
    inDoubt,
    { outcome: "NOT_PLACED", quantity: "" },
    { who: "me", reason: "a drill" },
  );
  await look();
  await exit();
  await permitsByKey();
  await look();
}, SETUP_MS);
afterAll(() => pipeline.stop());

describe.each(RECORDS)("%s", (name, record) => {
  const hashes = () => [...(seen.get(name) ?? new Map<string, Record<string, string>[]>())];

  it("has no other fields than its schema, and each obeys its rule", () => {
    const problems = hashes().flatMap(([key, looks]) =>
      looks.flatMap((hash) =>
        [
          ...Object.keys(hash).filter((field) => schemaNameOf(record.fields, field) === undefined),
          ...readableFields(record, hash).problems,
          ...record.always.filter((field) => hash[field] === undefined).map((field) => `${field} is missing`),
        ].map((problem) => `${key}: ${problem}`),
      ),
    );
    expect([...new Set(problems)]).toEqual([]);
  });

  it("has each field of its schema at some time, but those of earlier versions", () => {
    const found = hashes().flatMap(([, looks]) =>
      looks.flatMap((hash) => Object.keys(hash).map((field) => schemaNameOf(record.fields, field))),
    );
    const written = Object.entries(record.fields).filter(([, field]) => field.written.length > 0);
    expect(written.map(([name]) => name).filter((name) => !found.includes(name))).toEqual([]);
  });
});
