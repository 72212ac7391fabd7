/**
 * Metrics that every service reports about Redis and about halts, read when scraped. Each alert thus has several
 * sources.
 */
import { type Keys, utcDay } from "@quantum/contract";
import { notDurable, readFacts, type RedisClient, redisNow } from "@quantum/redis";
import { Gauge, type Registry } from "prom-client";
import { readKillSwitch } from "./kill-switch.ts";

export function observeRedis(redis: RedisClient, keys: Keys, registry: Registry): void {
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
  gauge("quantum_redis_up", "1 if Redis answers this service", () =>
    redis.ping().then(
      () => 1,
      () => 0,
    ),
  );
  gauge(
    "quantum_redis_durable",
    "1 if Redis keeps everything that it has acknowledged, even over a crash",
    async () =>
      // The clock has its own limits, checked when each service starts.
      notDurable(await readFacts(redis)).length === 0 ? 1 : 0,
  );
  gauge("quantum_kill_switch_active", "1 if the operators' kill switch is on", async () =>
    (await readKillSwitch(redis, keys)).on ? 1 : 0,
  );
  gauge("quantum_disarmed", "1 if the governor has disarmed the pipeline", async () =>
    (await redis.exists(keys.disarm, keys.disarmOf(utcDay(redisNow(redis))))) > 0 ? 1 : 0,
  );
  gauge("quantum_dead_letters", "Entries in the dead-letter stream", () =>
    redis.xlen(keys.streams.deadLetter),
  );
}
