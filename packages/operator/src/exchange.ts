/** What the pipeline knows of the exchange: its pauses, how much of its limits is used, and the account's events. */
import { SERVICES } from "@quantum/topology";
import type { OpenAccess } from "./access.ts";
import { httpOf, readGroups, readServices } from "./groups.ts";
import { type ExchangePause, readPauses } from "./pauses.ts";
import { symbolsUnder } from "./symbols-under.ts";

export interface ExchangeState {
  /** By Redis's clock. */
  nowMs: number;
  pauses: ExchangePause[];
  limits: LimitUse[];
  streams: StreamState[];
}

/** As Redis counts for all processes (`lua/exchange/budget.lua`), in the window that is open now. */
export interface LimitUse {
  kind: LimitKind;
  /** The egress address or the account, by its name in the configuration. */
  whose: string;
  used: number;
  limit: number;
  /** Until the exchange counts from 0 again, by Redis's clock. */
  leftMs: number;
}

/** The user data stream of one service that follows it. */
export interface StreamState {
  instance: string;
  isUp: boolean;
  /** Since the exchange last answered a ping; Infinity before. */
  pongAgeMs: number;
  /** Since the last event; Infinity before. A quiet account has none. */
  eventAgeMs: number;
}

const WINDOWS_MS = { weight_1m: 60_000, orders_1m: 60_000, orders_10s: 10_000 } as const;
type LimitKind = keyof typeof WINDOWS_MS;
const MS_PER_SEC = 1_000;
const TRADERS: ReadonlySet<string> = new Set(
  SERVICES.filter(({ needsVenue }) => needsVenue).map(({ name }) => name),
);

export async function readExchange(access: OpenAccess): Promise<ExchangeState> {
  const nowMs = access.nowMs();
  const [pauses, limits, streams] = await Promise.all([
    readPauses(access),
    readLimits(access, nowMs),
    readStreams(access),
  ]);
  return { nowMs, pauses, limits, streams };
}

async function readLimits({ redis, keys }: OpenAccess, nowMs: number): Promise<LimitUse[]> {
  const kinds = Object.keys(WINDOWS_MS) as LimitKind[];
  const uses = await Promise.all(
    kinds.map(async (kind) => {
      const owners = await symbolsUnder(redis, keys.exchangeBudget(kind, ""));
      return Promise.all(
        owners.map(async (whose) => {
          const hash = await redis.hgetall(keys.exchangeBudget(kind, whose)).catch(() => ({}));
          return limitUse(kind, whose, hash, nowMs);
        }),
      );
    }),
  );
  return uses.flat().filter((use) => use !== undefined);
}

/** Undefined if it cannot be read. In a window that has ended, nothing is used of the next one. */
function limitUse(
  kind: LimitKind,
  whose: string,
  hash: Readonly<Record<string, string>>,
  nowMs: number,
): LimitUse | undefined {
  const limit = Number(hash["limit"]);
  if (!(limit > 0)) return undefined;
  const windowMs = WINDOWS_MS[kind];
  const window = Math.floor(nowMs / windowMs);
  const leftMs = (window + 1) * windowMs - nowMs;
  if (Number(hash["window"]) !== window) return { kind, whose, used: 0, limit, leftMs };
  const spent = Object.entries(hash).flatMap(([field, value]) =>
    field.startsWith("spent:") ? Number(value) : [],
  );
  const ours = spent.reduce((sum, one) => sum + one, 0);
  return { kind, whose, used: Math.max(ours, Number(hash["reported"] ?? 0)), limit, leftMs };
}

/** Only services on this host can be asked. One that follows no stream has no such metrics. */
async function readStreams(access: OpenAccess): Promise<StreamState[]> {
  const services = await readServices(access, await readGroups(access));
  const traders = services.filter(({ service, alive }) => alive && TRADERS.has(service));
  const states = await Promise.all(traders.map(({ instance }) => readStream(instance)));
  return states.filter((state) => state !== undefined);
}

async function readStream(instance: string): Promise<StreamState | undefined> {
  const http = httpOf(instance);
  const text = await http?.("/metrics").then(
    (answer) => answer.text(),
    () => "",
  );
  const gauge = (name: string) => {
    const value = new RegExp(`^${name} (\\S+)$`, "m").exec(text ?? "")?.[1];
    return value === undefined ? undefined : Number(value.replace("+Inf", "Infinity"));
  };
  const up = gauge("quantum_exchange_stream_up");
  if (up === undefined) return undefined;
  const ageMs = (name: string) => (gauge(name) ?? Infinity) * MS_PER_SEC;
  return {
    instance,
    isUp: up === 1,
    pongAgeMs: ageMs("quantum_exchange_stream_pong_age_seconds"),
    eventAgeMs: ageMs("quantum_exchange_stream_event_age_seconds"),
  };
}
