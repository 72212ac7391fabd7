/** A scratch Redis on which the check plays the apply-layer: it publishes plans and reads what the issuer answers. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { createKeys, type Keys, partitionOf, type PermitEntry, permitEntry } from "@quantum/contract";
import { askRedisTime, connectForCommands, disconnect, type RedisClient } from "@quantum/redis";
import { type IssuerKeys, loadIssuerKeys } from "@quantum/signing";
import { issuerOf, type IssuerRow, PUBLIC_KEYS_FILE, SERVICES } from "@quantum/topology";
import { eventually } from "../processes/eventually.ts";
import { patienceMs } from "../processes/patience.ts";
import { keepRunning } from "../kill-switch-marks.ts";
import { addRunKey, makeRunKeys } from "../run-keys.ts";
import { startRedisServer, type TestRedis } from "../servers/redis-server.ts";
import { addIssuerUser } from "../servers/redis-users.ts";
import { Subject, type SubjectOptions, WORLD } from "./subject.ts";

export const SYMBOL = "BTCUSDT";
export const STEP = { step: "CLOSE_PARTIAL_75", type: "market_reduce_only", side: "close", pct: 75 };
/** Start of a program included. */
const ANSWER_MS = 15_000;
const RECORD_SEC = 3_600;
/** The default of `APPLY_PERMIT_WAIT_MS`. */
export const WAIT_BUDGET_MS = 1_200;

export interface Plan {
  planId: string;
  symbol: string;
  attempt: string;
  publishedMs: number;
}

const PUBLISH = `
local fields = tonumber(ARGV[1])
local id = redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2, fields + 1))
redis.call('HSET', KEYS[2], 'attempt', id, unpack(ARGV, fields + 2))
return id`;

/** What the partitions of a bench have in common. */
interface Shared {
  readonly server: TestRedis;
  readonly redis: RedisClient;
  readonly options: SubjectOptions;
  readonly subject: Subject;
  readonly publicKeys: IssuerKeys;
  /** One for each partition, in their order. */
  readonly symbols: readonly string[];
  /** What renews the marks of the wire's kill switch. */
  marks: { stop: () => Promise<void> };
  published: number;
}

/** One partition, that of {@link SYMBOL} unless said otherwise. */
export class Bench {
  readonly redis: RedisClient;
  readonly keys: Keys;
  readonly symbol: string;
  readonly row: IssuerRow;
  readonly group: string;
  readonly subject: Subject;
  readonly publicKeys: IssuerKeys;
  readonly #shared: Shared;

  private constructor(shared: Shared, symbol: string) {
    const { redis, options, subject, publicKeys, symbols } = shared;
    this.#shared = shared;
    this.redis = redis;
    this.subject = subject;
    this.publicKeys = publicKeys;
    this.symbol = symbol;
    this.keys = keysOf(partitionOf(symbol, symbols.length), symbols.length);
    this.row = issuerOf(options.issuer);
    this.group = SERVICES.find(({ issuer }) => issuer?.name === options.issuer)?.group ?? options.issuer;
  }

  static async open(options: SubjectOptions): Promise<Bench> {
    const { issuer, partitions = 1 } = options;
    const server = await startRedisServer({ partitions });
    const folder = await makeRunKeys(join(server.dir, "keys"));
    const isOurs = SERVICES.some((service) => service.issuer?.name === issuer);
    const redis = connectForCommands({ url: server.url, name: "issuer-check", onError: () => undefined });
    if (!isOurs) {
      await addRunKey(folder, issuer);
      await addIssuerUser(redis, issuer, partitions);
    }
    const symbols = symbolsOf(partitions);
    const subject = new Subject(options, { redisUrl: server.url, keysFolder: folder, symbols });
    const publicKeys = await loadIssuerKeys(join(folder, PUBLIC_KEYS_FILE));
    if (partitions > 1) await redis.set(createKeys().partitions, partitions);
    const marks = await keepRunning(
      redis,
      symbols.map((_, partition) => keysOf(partition, partitions)),
    );
    return new Bench({ server, redis, options, subject, publicKeys, symbols, marks, published: 0 }, SYMBOL);
  }

  /** The same bench, in each partition. */
  everywhere(): Bench[] {
    return this.#shared.symbols.map((symbol) => new Bench(this.#shared, symbol));
  }

  /** Meanwhile no mark of the wire's kill switch is renewed. */
  async unwatched<Result>(run: () => Promise<Result>): Promise<Result> {
    await this.#shared.marks.stop();
    try {
      return await run();
    } finally {
      this.#shared.marks = await keepRunning(
        this.redis,
        this.everywhere().map(({ keys }) => keys),
      );
    }
  }

  async close(): Promise<void> {
    await this.subject.end();
    await this.#shared.marks.stop();
    await disconnect(this.redis);
    await this.#shared.server.stop();
  }

  /** Redis's clock, in ms. */
  async nowMs(): Promise<number> {
    return askRedisTime(this.redis);
  }

  /** Publishes plans as `plans/open` does. Every last digit of a plan id comes up. */
  async publish(
    count: number,
    { decision = "EXECUTE", record = {} }: { decision?: string; record?: Record<string, string> } = {},
  ): Promise<Plan[]> {
    const nowMs = await this.nowMs();
    const { redis, keys, symbol } = this;
    // An issuer may look at the whole portfolio.
    for (const place of this.everywhere()) {
      const seconds = String(nowMs / 1_000);
      await redis.hset(place.keys.snapshot(place.symbol), { ...SNAPSHOT, ts_epoch: seconds });
      await redis.hset(place.keys.proposal(place.symbol), { sigma: "0.02", last_update_epoch: seconds });
    }
    const plans: Plan[] = [];
    for (let at = 0; at < count; at += 1) {
      const digit = (this.#shared.published++ % 16).toString(16);
      const planId = `${randomUUID().replaceAll("-", "").slice(0, 15)}${digit}`;
      const times = { deadline_ms: String(nowMs + patienceMs(WAIT_BUDGET_MS)) };
      const entry = {
        plan_id: planId,
        ...ENTRY,
        symbol,
        decision,
        timestamp: String(Math.floor(nowMs / 1_000)),
        ...times,
      };
      const state = decision === "EXECUTE" ? "WAITING" : decision;
      const stored = { ...RECORD, symbol, state, opened_at_ms: String(nowMs), ...times, ...record };
      const words = Object.entries(entry).flat();
      const args = [words.length, ...words, ...Object.entries(stored).flat()];
      const id = await redis.eval(PUBLISH, 2, keys.streams.plan, keys.plan(planId), ...args);
      if (record["attempt"] !== undefined) await redis.hset(keys.plan(planId), "attempt", record["attempt"]);
      await redis.expire(keys.plan(planId), RECORD_SEC);
      plans.push({ planId, symbol, attempt: String(id), publishedMs: nowMs });
    }
    return plans;
  }

  /** The wake-ups of these plans, by attempt. */
  async answers(plans: readonly Plan[]): Promise<Map<string, PermitEntry[]>> {
    const found = new Map(plans.map(({ attempt }): [string, PermitEntry[]] => [attempt, []]));
    for (const [, flat] of await this.redis.xrange(this.keys.streams.permit, "-", "+")) {
      const parsed = permitEntry.safeParse(fieldsOf(flat));
      if (parsed.success) found.get(parsed.data.attempt)?.push(parsed.data);
    }
    return found;
  }

  /** Waits until each of the plans has a wake-up. */
  async untilAnswered(plans: readonly Plan[], ms = ANSWER_MS): Promise<Map<string, PermitEntry[]>> {
    let lacking = plans.length;
    return eventually(
      async () => {
        const found = await this.answers(plans);
        lacking = [...found.values()].filter((entries) => entries.length === 0).length;
        if (lacking > 0) this.#expectRunning();
        return lacking === 0 ? found : undefined;
      },
      ms,
      `an answer with its wake-up on apply.permit for each of ${plans.length} plans`,
    );
  }

  #expectRunning(): void {
    if (!this.subject.isRunning()) throw new Error("the issuer has ended");
  }

  /** Waits until the group has read everything and nothing is pending. */
  async untilIdle(ms = ANSWER_MS): Promise<void> {
    await eventually(
      async () => {
        const [last] = await this.redis.xrevrange(this.keys.streams.plan, "+", "-", "COUNT", 1);
        const groups = await this.redis.xinfo("GROUPS", this.keys.streams.plan).catch(() => []);
        const group = (groups as (string | number)[][]).map(fieldsOf).find(({ name }) => name === this.group);
        return group?.["pending"] === "0" && group["last-delivered-id"] === last?.[0] ? true : undefined;
      },
      ms,
      `group ${this.group} has read every plan and acknowledged it`,
    );
  }

  /** Waits until an instance reads in the group, under its own name. */
  async untilReadBy(instance: string): Promise<void> {
    await eventually(
      async () => {
        const found = await this.redis.xinfo("CONSUMERS", this.keys.streams.plan, this.group);
        const consumers = (found as (string | number)[][]).map(fieldsOf);
        return consumers.some(({ name }) => name === instance) ? true : undefined;
      },
      ANSWER_MS,
      `INSTANCE=${instance} reads in group ${this.group} under that name`,
    );
  }

  /** The permit's or denial's JSON; undefined if there is none that is JSON. */
  async read(key: string): Promise<Record<string, unknown> | undefined> {
    try {
      const value: unknown = JSON.parse((await this.redis.get(key)) ?? "null");
      return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
    } catch {
      return undefined;
    }
  }

  permitKey = ({ planId }: Plan) => this.keys.permit(this.row.name, planId);
  /** The governor's denial has a key of its own. */
  denialKey = (plan: Plan) =>
    this.row.verdictField === "granted" ? this.keys.block(this.row.name, plan.planId) : this.permitKey(plan);

  async isGranted(plan: Plan): Promise<boolean> {
    return (await this.read(this.permitKey(plan)))?.[this.row.verdictField] === true;
  }
}

function keysOf(partition: number, partitions: number): Keys {
  return partitions === 1 ? createKeys() : createKeys({ partition });
}

/** A symbol of each partition; of its own, {@link SYMBOL}. */
function symbolsOf(partitions: number): string[] {
  const symbols = new Map([[partitionOf(SYMBOL, partitions), SYMBOL]]);
  for (let no = 1; symbols.size < partitions; no += 1) {
    const symbol = `T${no}USDT`;
    const partition = partitionOf(symbol, partitions);
    if (!symbols.has(partition)) symbols.set(partition, symbol);
  }
  return [...symbols].toSorted(([a], [b]) => a - b).map(([, symbol]) => symbol);
}

export function fieldsOf(flat: readonly (string | number)[]): Record<string, string> {
  return Object.fromEntries(
    flat.flatMap((name, at) => (at % 2 === 0 ? [[String(name), String(flat[at + 1] ?? "")]] : [])),
  );
}

const ENTRY = {
  action: "PARTIAL_75",
  kill_score: "0.62",
  k_regime_flip: "0.0",
  k_sigma_spike: "0.0",
  k_ts_drop: "0.0",
  k_age_penalty: "0.0",
  new_sl_proposed: "",
  R_net: "1.5",
  reason_codes: "",
  steps: JSON.stringify([STEP]),
  close_qty: "0.0",
  price: "",
  attempt_no: "1",
  mode: WORLD.mode,
};
const RECORD = {
  mode: WORLD.mode,
  step: STEP.step,
  close_pct: String(STEP.pct),
  attempt_no: "1",
};
const SNAPSHOT = {
  position_amt: "1.0",
  side: "LONG",
  entry_price: "100.0",
  mark_price: "100.0",
  unrealized_pnl: "0.0",
  leverage: "1.0",
  source: "exchange-sim",
  open_reduce_qty: "0",
  update_time_ms: "1",
  fingerprint: "",
  version: "1",
};
