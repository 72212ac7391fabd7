import {
  type AccountStream,
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
import { runIssuer } from "@quantum/issuer";
import {
  admitRealOrders,
  observeAccountStream,
  observeExchange,
  observeExchangeBudget,
  observeExchangeClock,
  shareExchangeBudget,
  shareExchangePauses,
} from "@quantum/service-kit";
import { serviceOf } from "@quantum/topology";
import { BookedFills } from "./booked-fills.ts";
import { Booker } from "./booker.ts";
import { CloseWatch } from "./close-watch.ts";
import { allowlistOf, configSource, quietMs, reserveTtlMs } from "./config.ts";
import { distrustDeafStream } from "./deaf-stream.ts";
import { disarmOnForcedClose } from "./forced-close.ts";
import { PositionBrain } from "./handler.ts";
import { Lease } from "./lease.ts";
import { OperatorCommands } from "./operator.ts";
import { createPairStore } from "./pair-store.ts";
import { PairRefresh } from "./refresh.ts";
import { RefreshSchedule } from "./schedule.ts";
import { observe } from "./telemetry.ts";

const REQUEST_TIMEOUT_MS = 3_000;
const RECV_WINDOW_MS = 5_000;
const MS_PER_SEC = 1000;
/** After an outage of the stream. The exchange then counts the weight of another minute. */
const CATCH_UP_MS = 60_000;

await runIssuer({
  service: serviceOf("position-brain"),
  summary: "P3.3: tracks positions, and how much of each may be closed",
  ...configSource,
  start: async ({ config, partitions, log, registry, instance, waiting, clocksAgree, stages }) => {
    const { keys, redis } = partitions.account;
    const venue = parseVenue(config.BINANCE_BASE_URL);
    await admitRealOrders({ partitions, log, clocksAgree }, !venue.simulated);

    const pauses = new Pauses();
    // It places no orders, so it holds no block of them.
    const budget = new Budget(["weight_1m"]);
    observeExchangeBudget({ budget, registry });
    const exchange = createBinanceExchange({
      baseUrl: venue.baseUrl,
      apiKey: config.BINANCE_TESTNET_API_KEY,
      apiSecret: config.BINANCE_TESTNET_API_SECRET,
      timeoutMs: REQUEST_TIMEOUT_MS,
      recvWindowMs: RECV_WINDOW_MS,
      pauses,
      budget,
      onUnreadable: observeExchange({ endpoints: ROWS_ENDPOINTS, pauses, registry, log }),
    });
    observeExchangeClock({ exchange, registry });
    const rules = new RuleBook(exchange, (error) =>
      log.error({ err: error }, "failed to read the order rules, trying again"),
    );
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
    await whenReady(exchange, rules, (error) => {
      waiting(() => `the exchange: ${exchange.problems()[0] ?? error.message}`);
      log.warn({ err: error }, "waiting for the exchange");
    });
    const allowlist = allowlistOf(config);
    for (const symbol of allowlist) {
      if (rules.get(symbol) === undefined)
        log.warn({ symbol }, `${symbol} is allowed, but the exchange lists no such symbol`);
    }

    const pairs = createPairStore({
      partitions,
      source: venue.simulated ? "exchange-sim" : "binance_testnet",
    });
    const refresh = new PairRefresh({
      exchange: exchange.as(() => (isCatchingUp(stream) ? "catch_up" : "refresh")),
      audits: exchange.as(() => (isCatchingUp(stream) && booker.account.isGapOpen ? "catch_up" : "audit")),
      pairs,
      allowlist,
      isListed: (symbol) => rules.get(symbol) !== undefined,
    });
    const pollMs = Math.round(config.P33_POLL_SEC * MS_PER_SEC);
    const stream = createAccountStream({ venue, exchange });
    observeAccountStream({
      stream,
      downReasons: DOWN_REASONS,
      gapReasons: GAP_REASONS,
      types: STREAM_EVENT_TYPES,
      registry,
      log,
    });
    distrustDeafStream({ refresh, stream });
    const lease = new Lease({ redis, keys, instance });
    const booker = new Booker({
      stream,
      lease,
      refresh,
      pairs,
      pollMs,
      auditMs: Math.round(config.P33_AUDIT_SEC * MS_PER_SEC),
      quietMs: quietMs(config),
    });
    const booked = new BookedFills({ booker, stream, pairs });
    if (config.P33_DISARM_ON_FORCED_CLOSE) disarmOnForcedClose({ booker, partitions, log });
    const operator = new OperatorCommands({ pairs, refresh });
    const closes = new CloseWatch({
      partitions,
      allowlist,
      onError: (error) => log.warn({ err: error }, "failed to note that a close is wanted, trying again"),
    });
    const schedule = new RefreshSchedule({
      redis,
      keys,
      everyMs: pollMs,
      hasOthers: partitions.all.length > 1,
      refresh: () => booker.account.read("poll"),
      isKept: () => booker.isKept,
      onError: (error) => log.error({ err: error }, "failed to read whose turn the refresh is, trying again"),
      onLate: (problem) => log.error(problem),
    });
    return {
      policy: new PositionBrain({
        pairs,
        refresh,
        exchange,
        booked,
        rules: (symbol) => rules.get(symbol),
        readRulesAgain: () => rules.readAgain(),
        limits: {
          allowlist,
          staleThresholdSec: config.P33_STALE_THRESHOLD_SEC,
          cooldownSec: config.P33_COOLDOWN_SEC,
          qtyTolerancePct: config.P33_QTY_TOLERANCE_PCT,
        },
      }),
      lifetimes: {
        permitSec: config.P33_PERMIT_TTL,
        denialSec: config.P33_PERMIT_TTL,
        reserveMs: reserveTtlMs(config),
      },
      symbols: allowlist,
      observe: (handlers) => {
        closes.follow(handlers, refresh, booker);
        const rulesOf = (symbol: string) => rules.get(symbol);
        observe({
          handlers,
          refresh,
          booker,
          lease,
          operator,
          stages,
          pairs,
          closes,
          rulesOf,
          allowlist,
          registry,
          log,
        });
      },
      reads: [{ stream: "operatorAudit", handle: operator.handle }],
      begin: async () => {
        await booker.start();
        await schedule.start();
      },
      readiness: async () => [
        ...exchange.problems(),
        ...stream.problems(),
        ...refresh.problems(),
        ...schedule.problems(),
      ],
      stop: async () => {
        stopPauses();
        stopBudget();
        rules.stop();
        refresh.stop();
        await schedule.stop();
        await booker.stop();
      },
    };
  },
});

/** The stream may have missed events, and the weight of this minute may be spent. */
function isCatchingUp({ isUp, upSinceMs }: AccountStream): boolean {
  return isUp && upSinceMs !== undefined && performance.now() - upSinceMs < CATCH_UP_MS;
}
