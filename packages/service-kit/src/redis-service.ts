/** What a service on Redis is given: its partitions, each with its connections, once every server is usable. */
import { createIntakeKeys } from "@quantum/contract";
import {
  connectForBlocking,
  connectForCommands,
  connectForHashes,
  disconnect,
  type Hashes,
  hashesOn,
  type RedisClient,
  RedisClock,
  type RedisFacts,
} from "@quantum/redis";
import type { StreamConsumer } from "@quantum/streams";
import type { z } from "zod";
import { clocksAgree, observeClocks } from "./clock.ts";
import { notReady, shared, watchEntries } from "./consumer-readiness.ts";
import { saidOnce } from "./partition-sentences.ts";
import { type Intake, openPartitions, type Partition, type Partitions } from "./partitions.ts";
import { type RedisConfig, redisRelations, redisUrl } from "./redis-config.ts";
import { lostConnections, redisProblems } from "./redis-readiness.ts";
import { observeRedis } from "./redis-telemetry.ts";
import { type BareContext, type Definition, run, type Running } from "./service.ts";
import type { CommonConfig } from "./service-config.ts";
import { observeStages, type Stages } from "./stages.ts";
import { observeConsumers } from "./stream-telemetry.ts";
import { startTraces } from "./tracing.ts";
import { startUpkeep } from "./upkeep.ts";
import { refusedBy, waitForRedis } from "./wait-for-redis.ts";

/** One whose server is usable. */
export interface UsablePartition extends Partition {
  /** Of its server, as of the service's start. */
  readonly facts: RedisFacts;
}

export interface RedisContext<Config> extends BareContext<Config> {
  /** Where the symbols' keys are. */
  partitions: Partitions<UsablePartition>;
  /**
   * A connection for commands to the server that has this key, such as one of the wire's. No clock runs on it: `redisNow` would
   * be the process's own.
   */
  connectTo: (key: string, role: string) => RedisClient;
  /** Opens the hashes that publishers write for each symbol. With one partition they are on its connection. */
  openHashes: () => Hashes;
  /** Opens where publishers write. With one partition it is that partition. */
  openIntake: () => Intake;
  /** Resolves when this process's clock agrees with Redis's. A service that places real orders waits for it. */
  clocksAgree: () => Promise<void>;
  /** Takes the times of plans. */
  stages: Stages;
}

type Clients = Set<RedisClient>;

/** Runs a service on Redis. It starts once Redis answers and is usable. */
export async function runService<Schema extends z.ZodObject>(
  definition: Definition<Schema> & { start: (context: RedisContext<z.output<Schema>>) => Promise<Running> },
): Promise<void> {
  const relations = (config: z.output<Schema>) => [
    ...(definition.relations?.(config) ?? []),
    ...redisRelations(config as unknown as Parameters<typeof redisRelations>[0]),
  ];
  await run({ ...definition, relations }, async (context) => {
    const { log, instance, registry, progress } = context;
    const config = context.config as unknown as RedisConfig & { PARTITIONS: number };
    const url = redisUrl(config);
    const optionsOf = (role: string) => ({
      url,
      name: `${instance}:${role}`.replaceAll(/\s/g, "_"),
      onError: (error: Error) => log.error({ err: error, role }, "Redis connection failed, reconnecting"),
    });
    const connect = (make: typeof connectForCommands, role: string, slotOf: string, among: Clients) => {
      const client = make({ ...optionsOf(role), slotOf });
      among.add(client);
      client.once("end", () => among.delete(client));
      return client;
    };
    const others: Clients = new Set();
    const connectTo = (key: string, role: string) => connect(connectForCommands, role, key, others);
    const opened = openPartitions(config.PARTITIONS, (key, partition) => {
      const clients: Clients = new Set();
      return {
        clients,
        redis: connect(connectForCommands, `commands${partition}`, key, clients),
        connectForBlocking: () => connect(connectForBlocking, `blocking${partition}`, key, clients),
      };
    });
    let consumers: readonly StreamConsumer[] = [];
    observeRedis(opened, registry, () => consumers);
    const facts = await waitForRedis(opened, config, { ...context, connectTo, name: definition.name });
    const partitions = opened.with(({ number }) => ({ facts: facts[number] as RedisFacts }));
    const { account } = partitions;
    const allHashes: Hashes[] = [];
    const openHashes = (): Hashes => {
      const isOne = partitions.all.length === 1;
      const hashes = isOne ? hashesOn(account.redis) : connectForHashes(optionsOf("hashes"));
      allHashes.push(hashes);
      return hashes;
    };
    const openIntake = (): Intake => {
      if (partitions.all.length === 1) return { ...account, hashes: openHashes() };
      const intakeKeys = createIntakeKeys(partitions.all.length);
      const { proposal } = intakeKeys.streams;
      return {
        keys: intakeKeys,
        redis: connectTo(proposal, "intake"),
        connectForBlocking: () => connect(connectForBlocking, "blocking:intake", proposal, others),
        hashes: openHashes(),
      };
    };
    const clocks = partitions.map(({ redis }) => new RedisClock(redis));
    await Promise.all(clocks.map((clock) => clock.start()));
    const clockProblems = observeClocks(clocks, registry);
    const traces = await startTraces(context.config as unknown as CommonConfig, {
      service: definition.name,
      instance,
      log,
    });
    const running = await orRefused(config, () =>
      definition.start({
        ...context,
        partitions,
        connectTo,
        openHashes,
        openIntake,
        clocksAgree: () => clocksAgree(clockProblems, context.waiting),
        stages: observeStages(registry, traces),
      }),
    );
    consumers = running.consumers ?? [];
    observeConsumers(consumers, registry, log);
    for (const consumer of consumers) watchEntries(consumer, progress);
    const upkeep = startUpkeep(consumers, log, progress);
    return {
      running,
      begin: () =>
        orRefused(config, async () => {
          await running.begin?.();
          // Each server's in their order. One that is away must not keep those of others from their work.
          const ofServers = [...Map.groupBy(consumers, ({ redis }) => redis).values()];
          await Promise.all(
            ofServers.map(async (own) => {
              for (const consumer of own) await consumer.start();
            }),
          );
        }),
      close: async () => {
        await Promise.all([...consumers.map((consumer) => consumer.stop()), upkeep.stop()]);
        await running.stop?.();
        await traces?.stop();
        for (const clock of clocks) clock.stop();
        await Promise.all(allHashes.map((hashes) => hashes.close()));
        await Promise.all(
          [...partitions.all.flatMap(({ clients }) => [...clients]), ...others].map(disconnect),
        );
      },
      readiness: async () => {
        // In parallel: if Redis hangs, consecutive deadlines would delay the answer too long.
        const [silence, ...sharing] = await Promise.all([
          Promise.all(
            partitions.map(({ redis, keys, clients }) => redisProblems(redis, keys, clients, config)),
          ),
          ...consumers.map((consumer) => shared(consumer)),
        ]);
        return [
          ...new Set([...saidOnce(silence), ...lostConnections(others, config)]),
          ...clockProblems(),
          ...consumers.flatMap((consumer) => notReady(consumer)),
          ...sharing.flat(),
        ];
      },
    };
  });
}

/**
 * Throws a `ConfigError` if Redis refuses for good. Only Redis's replies count, because the exchange's TLS errors
 * look alike.
 */
async function orRefused<T>(config: RedisConfig, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const isReply = error instanceof Error && error.name === "ReplyError";
    throw (isReply ? refusedBy(error, config) : undefined) ?? error;
  }
}
