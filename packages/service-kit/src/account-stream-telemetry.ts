/** Metrics and logs of the exchange's user data stream. Ages are read when scraped. */
import type { Logger } from "pino";
import { Counter, Gauge, type Registry } from "prom-client";

/** The `AccountStream` of packages/exchange. */
interface Stream {
  readonly isUp: boolean;
  readonly aliveAtMs: number;
  readonly upSinceMs: number | undefined;
  readonly lastEventAtMs: number | undefined;
  on(event: "up", listener: () => void): unknown;
  on(event: "down", listener: (down: { reason: string; problem: string }) => void): unknown;
  on(event: "gap", listener: (gap: { reason: string; symbol: string | undefined }) => void): unknown;
  on(event: "unreadable", listener: (event: Unreadable) => void): unknown;
  on(event: "failed", listener: (failure: { error: Error }) => void): unknown;
}

interface Unreadable {
  type: string;
  symbol: string | undefined;
  problem: string;
}

interface Observed {
  stream: Stream;
  /** The label values, which start at 0. */
  downReasons: readonly string[];
  gapReasons: readonly string[];
  types: readonly string[];
  registry: Registry;
  log: Pick<Logger, "debug" | "info" | "warn" | "error">;
}

const MS_PER_SECOND = 1_000;
/** The same event may be unreadable every time: it is logged once. */
const TOLD_MAX = 1_000;

export function observeAccountStream(observed: Observed): void {
  observeAges(observed);
  logState(observed);
  countLosses(observed);
}

function observeAges({ stream, registry }: Observed): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  const ageOf = (atMs = -Infinity) => (performance.now() - atMs) / MS_PER_SECOND;
  gauge(
    "quantum_exchange_stream_up",
    "1 if the exchange's user data stream is connected and answers; otherwise the account is read by requests",
    () => (stream.isUp ? 1 : 0),
  );
  gauge(
    "quantum_exchange_stream_connected_seconds",
    "How long the exchange's user data stream has been connected, 0 if it is not; the exchange disconnects after 24 hours",
    () => (stream.upSinceMs === undefined ? 0 : ageOf(stream.upSinceMs)),
  );
  gauge(
    "quantum_exchange_stream_event_age_seconds",
    "Time since the last event of the account; +Inf before the first. A quiet account has none",
    () => ageOf(stream.lastEventAtMs),
  );
  gauge(
    "quantum_exchange_stream_pong_age_seconds",
    "Time since the last ping that the exchange's user data stream answered; +Inf before the first",
    () => ageOf(stream.aliveAtMs),
  );
}

/** One line at each change. An exchange that stays away is tried again every few seconds. */
function logState({ stream, log }: Observed): void {
  let downSinceMs: number | undefined;
  stream.on("up", () => {
    const wasDownMs = downSinceMs === undefined ? undefined : Math.round(performance.now() - downSinceMs);
    downSinceMs = undefined;
    log.info({ wasDownMs }, "the exchange's account events arrive");
  });
  stream.on("down", (down) => {
    const line = "the exchange's account events do not arrive; connecting again, and reading by requests";
    if (downSinceMs === undefined) log.warn(down, line);
    else log.debug(down, line);
    downSinceMs ??= performance.now();
  });
  stream.on("failed", ({ error }) =>
    log.error({ err: error }, "an account event was not handled; what it told is read by requests"),
  );
}

function countLosses({ stream, downReasons, gapReasons, types, registry, log }: Observed): void {
  const counter = (name: string, help: string, label: string, values: readonly string[]) => {
    const made = new Counter({ name, help, labelNames: [label], registers: [registry] });
    for (const value of values) made.inc({ [label]: value }, 0);
    return made;
  };
  const reconnects = counter(
    "quantum_exchange_stream_reconnects_total",
    "Connections of the user data stream that were lost or could not be made, by reason",
    "reason",
    downReasons,
  );
  const gaps = counter(
    "quantum_exchange_stream_gaps_total",
    "Times events may have been missing although the stream was connected, by reason",
    "reason",
    gapReasons,
  );
  const unreadable = counter(
    "quantum_exchange_stream_unreadable_total",
    "Events, or positions in them, that could not be read; their symbols are read by requests",
    "type",
    types,
  );
  stream.on("down", ({ reason }) => reconnects.inc({ reason }));
  stream.on("gap", ({ reason, symbol }) => {
    gaps.inc({ reason });
    log.debug({ reason, symbol }, "account events may be missing");
  });
  const told = new Set<string>();
  stream.on("unreadable", (event) => {
    unreadable.inc({ type: event.type });
    const which = `${event.type} ${event.symbol} ${event.problem}`;
    if (told.has(which)) return;
    if (told.size < TOLD_MAX) told.add(which);
    log.warn(
      event,
      `an event of the exchange cannot be read: ${event.symbol ?? "all symbols"} read by requests`,
    );
  });
}
