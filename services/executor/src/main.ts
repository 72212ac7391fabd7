import {
  Budget,
  createAccountStream,
  createBinanceExchange,
  DOWN_REASONS,
  GAP_REASONS,
  parseVenue,
  Pauses,
  ROWS_ENDPOINTS,
  RuleBook,
  STREAM_EVENT_TYPES,
  whenReady,
} from "@quantum/exchange";
import { isNotOffered, redisNow } from "@quantum/redis";
import {
  admitRealOrders,
  ConfigError,
  observeAccountStream,
  observeExchange,
  observeExchangeBudget,
  observeExchangeClock,
  runService,
  shareExchangeBudget,
  shareExchangePauses,
  type Watched,
} from "@quantum/service-kit";
import { Gate, StreamConsumer } from "@quantum/streams";
import { serviceOf } from "@quantum/topology";
import { configSource } from "./config.ts";
import { createEvents, reportingFrom } from "./events.ts";
import { reportCalls } from "./exchange-calls.ts";
import { createDrillReports } from "./exit/drill-reports.ts";
import { ExitState, readLastDrill } from "./exit/exit-state.ts";
import { Journal } from "./journal.ts";
import { OrderEvents } from "./order-events.ts";
import { createOrderPartition, type OrderPartition } from "./order-partition.ts";
import { Ownership, standbyNote } from "./ownership.ts";
import { createQueries } from "./queries.ts";
import { observe } from "./telemetry.ts";
import { followTrust } from "./trust.ts";

const { name: NAME, group: GROUP } = serviceOf("executor");
const MS_PER_SECOND = 1000;

await runService({
  name: NAME,
  summary: "turns plans whose permits are spent into at most one reduce-only market order each",
  ...configSource,
  port: (config) => config.EXECUTOR_METRICS_PORT,
  level: (config) => config.EXECUTOR_LOG_LEVEL,
  start: async ({ config, log, registry, instance, progress, partitions, waiting, clocksAgree, stages }) => {
    const venue = parseVenue(config.BINANCE_BASE_URL);
    if (partitions.all.some(({ facts }) => facts.runId === ""))
      throw new ConfigError([
        "REDIS_URL: its user needs the right to INFO, which tells whether Redis has forgotten orders",
      ]);
    const minReplicas = config.EXECUTOR_MIN_REPLICAS;
    if (minReplicas > 0)
      await Promise.all(partitions.map(({ redis }) => redis.wait(0, 1).catch(refuseWithoutWait)));
    await admitRealOrders({ partitions, log, clocksAgree }, !venue.simulated);
    const followed = await followTrust(config, venue, log);
    const events = createEvents();
    const pauses = new Pauses();
    // Whatever of it weighs anything is vital, which needs no block.
    const budget = new Budget(["orders_1m", "orders_10s"]);
    observeExchangeBudget({ budget, registry });
    const exchange = reportCalls(
      createBinanceExchange({
        baseUrl: venue.baseUrl,
        apiKey: config.BINANCE_TESTNET_API_KEY,
        apiSecret: config.BINANCE_TESTNET_API_SECRET,
        timeoutMs: config.EXECUTOR_TIMEOUT_MS,
        recvWindowMs: config.EXECUTOR_RECV_WINDOW_MS,
        pauses,
        budget,
        onUnreadable: observeExchange({ endpoints: ROWS_ENDPOINTS, pauses, registry, log }),
      }),
      events,
    );
    observeExchangeClock({ exchange, registry });
    const stream = createAccountStream({ venue, exchange, ordersOnly: true });
    observeAccountStream({
      stream,
      downReasons: DOWN_REASONS,
      gapReasons: GAP_REASONS,
      types: STREAM_EVENT_TYPES,
      registry,
      log,
    });
    const rules = new RuleBook(exchange, (error) =>
      events.emit("failed", { doing: "read the order rules", error }),
    );
    const { trust } = followed;
    const reporting = partitions.with(({ name, keys, redis }) => {
      const itsEvents = reportingFrom(name, events);
      const queries = createQueries({ redis, keys, events: itsEvents });
      return { events: itsEvents, queries, now: () => redisNow(redis) };
    });
    // Pauses, budgets and whether operators can exit are the account's.
    const { redis, keys, now } = reporting.account;
    observe({
      events,
      partitions: reporting.all,
      stages,
      unsigned: trust.unsigned,
      operatorKeys: trust.operatorKeys,
      lastDrillMs: () => readLastDrill(redis, keys),
      drillDays: config.EXIT_DRILL_DAYS,
      registry,
      log,
    });

    const stopPauses = await shareExchangePauses({ pauses, redis, keys, log });
    const stopBudget = await shareExchangeBudget({
      budget,
      redis,
      keys,
      egress: config.EXCHANGE_EGRESS,
      account: config.QUANTUM_ACCOUNT,
      instance,
      log,
    });
    const journal = await Journal.open({
      folder: config.EXECUTOR_STATE_DIR,
      partitions: partitions.all.length,
      redisNowMs: (number) => (reporting.all[number] ?? reporting.account).now(),
      onDamage: (problem) => log.error(problem),
    });
    const owned = reporting.with(({ keys, redis, number, events }) => {
      const gate = new Gate({ isOpen: false });
      const ownership = new Ownership({ redis, keys, instance, journal: journal.of(number), gate, events });
      return { gate, ownership };
    });
    await whenReady(exchange, rules, (error) => {
      waiting(() => `the exchange: ${exchange.problems()[0] ?? error.message}`);
      log.warn({ err: error }, "waiting for the exchange");
    });
    const { ownership } = owned.account;
    const exitState = new ExitState({ redis, keys, trust, ownership, events, now });
    // Its events come once the stream has started.
    const orderEvents = new OrderEvents({ stream, of: (symbol) => served.of(symbol), exchange, events });
    const shared = {
      partitions,
      group: GROUP,
      instance,
      exchange,
      rules,
      orderEvents,
      journal,
      trust,
      state: exitState,
      minReplicas,
      drillReport: createDrillReports({ exchange: exchange.as("exit"), rules, journal, trust, now }),
      recvWindowMs: config.EXECUTOR_RECV_WINDOW_MS,
      absenceMs: config.EXECUTOR_ABSENCE_SEC * MS_PER_SECOND,
    };
    const served = owned.with((partition) => createOrderPartition(partition, shared));
    return {
      begin: async () => {
        stream.start();
        await Promise.all(served.map((partition) => startPartition(partition, progress.of(partition.name))));
        exitState.start();
      },
      readiness: async () => [...exchange.problems(), ...followed.problems(), ...journal.problems()],
      // Not a problem: without the stream, orders are queried.
      note: () => [...standbyNote(owned.all), ...stream.problems()].join("; ") || undefined,
      consumers: served.map(
        ({ redis: own, connectForBlocking, keys: itsKeys, handle, gate }) =>
          new StreamConsumer({
            redis: own,
            connectForBlocking,
            keys: itsKeys,
            stream: itsKeys.streams.execute,
            group: GROUP,
            consumer: instance,
            handle,
            gate,
            // Its permits are spent: however long it takes, the plan needs its result.
            maxDeliveries: Infinity,
            orderBy: (entry) => entry.fields["symbol"] ?? "",
          }),
      ),
      stop: async () => {
        await exitState.stop();
        await Promise.all(owned.map((partition) => partition.ownership.stop()));
        stopPauses();
        stopBudget();
        rules.stop();
        await followed.stop();
        await journal.close();
        await Promise.all(served.map(({ handovers }) => handovers.stop()));
        await stream.stop();
        await orderEvents.stop();
        await Promise.all(served.map(({ resolver }) => resolver.stop()));
      },
    };
  },
});

type Served = Pick<OrderPartition, "resolver" | "handovers"> & { ownership: Ownership };

/** Does not wait for a partition that is away longer than a command does. */
async function startPartition({ resolver, handovers, ownership }: Served, progress: Watched): Promise<void> {
  resolver.start(progress);
  handovers.start(progress);
  await ownership.start(progress);
}

function refuseWithoutWait(error: unknown): void {
  if (!isNotOffered(error)) throw error;
  throw new ConfigError(["EXECUTOR_MIN_REPLICAS: the user of REDIS_URL needs the right to WAIT"]);
}
