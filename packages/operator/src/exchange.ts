/** What the pipeline knows of the exchange: its pauses, how much of its limits is used, and the account's events. */
import { SERVICES } from "@quantum/topology";
import type { OpenAccess } from "./access.ts";
import type { Place } from "./place.ts";
import { readGroups, readServices } from "./groups.ts";
import { httpOf } from "./probes.ts";
import { type ExchangePause, readPauses } from "./pauses.ts";
import { namesUnder } from "./names-under.ts";

export interface ExchangeState {
  /** By Redis's clock. */
  nowMs: number;
  pauses: ExchangePause[];
  limits: LimitUse[];
  /** When P3.3 last read all positions by requests, by Redis's clock; undefined if it never has. */
  auditedAtMs: number | undefined;
  clients: ExchangeClient[];
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

/** A service on this host that calls the exchange. */
export interface ExchangeClient {
  instance: string;
  /** How far the exchange's clock, as it last measured it, is ahead of its own. */
  clockOffsetMs: number;
  /** Of the account's events; undefined if it follows none. */
  stream: StreamState | undefined;
}

export interface StreamState {
  isUp: boolean;
  /** For how long; 0 if it is not connected. */
  connectedMs: number;
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
  const { account } = access.partitions;
  const [pauses, limits, doneMs, clients] = await Promise.all([
    readPauses(account),
    readLimits(account, nowMs),
    account.redis.hget(account.keys.refreshTurn, "done_ms").catch(() => null),
    readClients(access),
  ]);
  return { nowMs, pauses, limits, auditedAtMs: doneMs === null ? undefined : Number(doneMs), clients };
}

async function readLimits({ redis, keys }: Place, nowMs: number): Promise<LimitUse[]> {
  const kinds = Object.keys(WINDOWS_MS) as LimitKind[];
  const uses = await Promise.all(
    kinds.map(async (kind) => {
      const owners = await namesUnder(redis, keys.exchangeBudget(kind, ""));
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

async function readClients(access: OpenAccess): Promise<ExchangeClient[]> {
  const services = await readServices(access, await readGroups(access));
  const traders = services.filter(({ service, alive }) => alive && TRADERS.has(service));
  const clients = await Promise.all(traders.map(({ instance }) => readClient(instance)));
  return clients.filter((client) => client !== undefined);
}

/** Undefined if it does not answer, or is on another host. */
async function readClient(instance: string): Promise<ExchangeClient | undefined> {
  const text = await httpOf(instance)?.("/metrics").then(
    (answer) => answer.text(),
    () => undefined,
  );
  if (text === undefined) return undefined;
  const ms = (name: string) => (gaugeOf(text, `quantum_exchange_${name}_seconds`) ?? Infinity) * MS_PER_SEC;
  const up = gaugeOf(text, "quantum_exchange_stream_up");
  return {
    instance,
    clockOffsetMs: ms("clock_offset"),
    stream:
      up === undefined
        ? undefined
        : {
            isUp: up === 1,
            connectedMs: ms("stream_connected"),
            pongAgeMs: ms("stream_pong_age"),
            eventAgeMs: ms("stream_event_age"),
          },
  };
}

/** A gauge without labels, in Prometheus's text format. */
function gaugeOf(text: string, name: string): number | undefined {
  const value = new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1];
  return value === undefined ? undefined : Number(value.replace("Inf", "Infinity"));
}
