/**
 * Metrics that every service reports about Redis and about halts, read when scraped. Each alert thus has several
 * sources. Each is one number for all partitions: alerts ask whether anything is wrong, and /readyz says where.
 */
import { utcDay } from "@quantum/contract";
import { notDurable, readFacts, type RedisFacts, redisNow } from "@quantum/redis";
import type { StreamConsumer } from "@quantum/streams";
import { Counter, Gauge, type Registry } from "prom-client";
import { readKillSwitch, readKillSwitchSeen } from "./kill-switch.ts";
import type { Partition, Partitions } from "./partitions.ts";
import { sharedReading } from "./shared-reading.ts";

/** @param consumers what is consumed besides the partitions' streams has dead letters of its own */
export function observeRedis(
  partitions: Partitions,
  registry: Registry,
  consumers: () => readonly Pick<StreamConsumer, "redis" | "deadLetters">[] = () => [],
): void {
  /** Without an answer the last value stays, and `quantum_redis_up` is 0. */
  const gauge = (name: string, help: string, read: () => Promise<number | undefined>) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const value = await read().catch(() => undefined);
        if (value !== undefined) this.set(value);
      },
    });
  /** 1 if it is so in any partition. One that is found counts, even if others do not answer. */
  const inAny = async (holds: (partition: Partition) => Promise<boolean>) => {
    const answers = await Promise.allSettled(partitions.map(holds));
    if (answers.some((answer) => answer.status === "fulfilled" && answer.value)) return 1;
    return answers.every(({ status }) => status === "fulfilled") ? 0 : undefined;
  };
  gauge("quantum_redis_up", "1 if Redis answers this service, in every partition", () =>
    Promise.all(partitions.map(({ redis }) => redis.ping())).then(
      () => 1,
      () => 0,
    ),
  );
  /** Of the partitions that answer. */
  const facts = sharedReading(async () => {
    const read = await Promise.allSettled(partitions.map(({ redis }) => readFacts(redis)));
    return read.map((answer) => (answer.status === "fulfilled" ? answer.value : undefined));
  });
  gauge(
    "quantum_redis_durable",
    "1 if Redis keeps everything that it has acknowledged, even over a crash, in every partition",
    async () => {
      const read = (await facts()) ?? [];
      // The clock has its own limits, checked when each service starts.
      if (read.some((one) => one !== undefined && notDurable(one).length > 0)) return 0;
      return read.includes(undefined) ? undefined : 1;
    },
  );
  gauge(
    "quantum_redis_replicas",
    "Replicas that follow the master, in the partition that has the fewest",
    async () => {
      const counts = ((await facts()) ?? []).flatMap((one) => one?.replicas ?? []);
      return counts.length === 0 ? undefined : Math.min(...counts);
    },
  );
  observeReplacements(facts, registry);
  gauge(
    "quantum_kill_switch_active",
    "1 if the operators' kill switch is on, or counts as on because it cannot be read, in any partition",
    () =>
      inAny(async ({ redis, keys }) => {
        const { on } = await readKillSwitch(redis, keys);
        return on || (await readKillSwitchSeen(redis, keys)) !== "running";
      }),
  );
  gauge("quantum_disarmed", "1 if the governor has disarmed the pipeline, in any partition", () =>
    inAny(async ({ redis, keys }) => {
      return (await redis.exists(keys.disarm, keys.disarmOf(utcDay(redisNow(redis))))) > 0;
    }),
  );
  gauge("quantum_dead_letters", "Entries in the dead-letter streams of all partitions", async () => {
    const streams = new Map(partitions.map(({ redis, keys }) => [keys.streams.deadLetter, redis]));
    for (const { redis, deadLetters } of consumers()) streams.set(deadLetters, redis);
    const lengths = await Promise.all([...streams].map(([stream, redis]) => redis.xlen(stream)));
    return lengths.reduce((sum, length) => sum + length, 0);
  });
}

/** Another run id is another process: Redis was restarted, or another master is in its place. */
function observeReplacements(
  facts: () => Promise<(RedisFacts | undefined)[] | undefined>,
  registry: Registry,
): void {
  const known = new Map<number, string>();
  new Counter({
    name: "quantum_redis_replaced_total",
    help: "Times that a partition's Redis was found restarted, or replaced by another master",
    registers: [registry],
    async collect() {
      for (const [partition, one] of ((await facts()) ?? []).entries()) {
        // Without a right to INFO it is not told.
        if (one === undefined || one.runId === "") continue;
        const before = known.get(partition);
        known.set(partition, one.runId);
        if (before !== undefined && before !== one.runId) this.inc();
      }
    },
  });
}
