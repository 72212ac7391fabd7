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
} from "@quantum/service-kit";
import { Gate, StreamConsumer } from "@quantum/streams";
import { serviceOf } from "@quantum/topology";
import { configSource } from "./config.ts";
import { createEvents } from "./events.ts";
import { reportCalls } from "./exchange-calls.ts";
import { Handovers } from "./handovers.ts";
import { createExits } from "./exit/exits.ts";
import { ExitState, readLastDrill } from "./exit/exit-state.ts";
import { createTold, tellingWhatIsLeft } from "./exit/told.ts";
import { createHandler } from "./handler.ts";
import { OrderEvents } from "./order-events.ts";
import { createOrders } from "./orders.ts";
import { createQueries } from "./queries.ts";
import { RedisMemory } from "./redis-memory.ts";
import { Replication } from "./replication.ts";
import { Resolver } from "./resolve.ts";
import { Journal } from "./journal.ts";
import { Ownership } from "./ownership.ts";
import { createSteps } from "./steps.ts";
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
  start: async ({
    config,
    log,
    registry,
    instance,
    progress,
    keys,
    redis,
    partitions,
    connectForBlocking,
    waiting,
    clocksAgree,
    stages,
  }) => {
    const venue = parseVenue(config.BINANCE_BASE_URL);
    if (partitions.all.some(({ facts }) => facts.runId === ""))
      throw new ConfigError([
        "REDIS_URL: its user needs the right to INFO, which tells whether Redis has forgotten orders",
      ]);
    const minReplicas = config.EXECUTOR_MIN_REPLICAS;
    if (minReplicas > 0) await redis.wait(0, 1).catch(refuseWithoutWait);
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
    const told = createTold({ redis, keys });
    const ordinary = createOrders({ redis, keys, group: GROUP, instance, events });
    const orders = tellingWhatIsLeft(ordinary, told, exchange.as("exit"));
    const queries = createQueries({ redis, keys, events });
    const now = () => redisNow(redis);
    const { trust } = followed;
    observe({
      events,
      queries,
      stages,
      unsigned: trust.unsigned,
      operatorKeys: trust.operatorKeys,
      lastDrillMs: () => readLastDrill(redis, keys),
      drillDays: config.EXIT_DRILL_DAYS,
      registry,
      log,
      now,
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
      redisNowMs: now,
      onDamage: (problem) => log.error(problem),
    });
    const gate = new Gate({ isOpen: false });
    const ownership = new Ownership({ redis, keys, instance, journal, gate, events });
    await whenReady(exchange, rules, (error) => {
      waiting(() => `the exchange: ${exchange.problems()[0] ?? error.message}`);
      log.warn({ err: error }, "waiting for the exchange");
    });
    const resolver = new Resolver({
      orders,
      queries,
      exchange,
      events,
      absenceMs: config.EXECUTOR_ABSENCE_SEC * MS_PER_SECOND,
    });
    const common = {
      orders,
      exchange,
      rules,
      memory: new RedisMemory(redis, keys, events),
      events,
      resolve: resolver.wake,
      recvWindowMs: config.EXECUTOR_RECV_WINDOW_MS,
    };
    const orderEvents = new OrderEvents({ stream, orders, queries, exchange, ownership, events });
    const exitState = new ExitState({ redis, keys, trust, ownership, events, now });
    const steps = createSteps({ ...common, orderEvents, journal, now });
    const ordering = { ...common, trust, journal, steps, now };
    const exits = createExits({ ...ordering, told, state: exitState });
    const handle = createHandler({
      ...ordering,
      replication: new Replication(redis, minReplicas),
      ownership,
      exits,
    });
    const handovers = new Handovers({ ...common, redis, keys, group: GROUP });
    return {
      begin: async () => {
        stream.start();
        resolver.start(progress);
        handovers.start(progress);
        await ownership.start(progress);
        exitState.start();
      },
      readiness: async () => [...exchange.problems(), ...followed.problems(), ...journal.problems()],
      // Not a problem: without the stream, orders are queried.
      note: () => [ownership.note ?? [], stream.problems()].flat().join("; ") || undefined,
      consumers: [
        new StreamConsumer({
          redis,
          connectForBlocking,
          keys,
          stream: keys.streams.execute,
          group: GROUP,
          consumer: instance,
          handle,
          gate,
          // Its permits are spent: however long it takes, the plan needs its result.
          maxDeliveries: Infinity,
          orderBy: (entry) => entry.fields["symbol"] ?? "",
        }),
      ],
      stop: async () => {
        await exitState.stop();
        await ownership.stop();
        stopPauses();
        stopBudget();
        rules.stop();
        await followed.stop();
        await journal.close();
        await handovers.stop();
        await stream.stop();
        await orderEvents.stop();
        await resolver.stop();
      },
    };
  },
});

function refuseWithoutWait(error: unknown): void {
  if (!isNotOffered(error)) throw error;
  throw new ConfigError(["EXECUTOR_MIN_REPLICAS: the user of REDIS_URL needs the right to WAIT"]);
}
