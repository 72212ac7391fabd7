/** What a change of the number of partitions puts into the new layout, key by key. */
import { createKeys, keyIn, locate, partitionOf, type Where } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { isKillSwitchOn } from "@quantum/service-kit";
import { type Entry, isLater, parseEntries } from "@quantum/streams";
import { type Kind, kindOf } from "./kinds.ts";

export type Piece =
  | { kind: "whole"; from: string; to: string }
  | { kind: "text"; to: string; value: string }
  | { kind: "set"; to: string; members: readonly string[] }
  | { kind: "hash"; to: string; fields: Readonly<Record<string, string>> }
  /** In the order of their ids. A group has read all of it. */
  | { kind: "stream"; to: string; entries: readonly Entry[]; groups: readonly string[] };

export interface Found {
  key: string;
  where: Where | undefined;
  wireName: string;
  kind: Kind;
}

export interface Pieces {
  pieces: readonly Piece[];
  /** Keys that must be moved, and do not tell to which symbol they belong. */
  nameless: readonly string[];
}

const BATCH = 500;
const SCAN_COUNT = 1_000;
const WIRE = createKeys();

/** The keys of a layout: the wire's, or that of several partitions. */
export async function keysOfLayout(redis: RedisClient, isTagged: boolean): Promise<Found[]> {
  const found = new Map<string, Found>();
  for (let cursor = "0"; ;) {
    const [next, keys] = await redis.scan(cursor, "MATCH", WIRE.all, "COUNT", SCAN_COUNT);
    for (const key of keys) {
      const { where, wireName } = locate(key);
      const kind = kindOf(wireName);
      if (kind !== undefined && (where !== undefined) === isTagged)
        found.set(key, { key, where, wireName, kind });
    }
    if (next === "0") return [...found.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1));
    cursor = next;
  }
}

/** @param to how many partitions there will be; one of both numbers is 1 */
export async function piecesOf(redis: RedisClient, source: readonly Found[], to: number): Promise<Pieces> {
  const streams = await readStreams(redis, source);
  const symbols = to === 1 ? new Map<string, string>() : await symbolsOfPlans(redis, source, streams);
  const home = (symbol: string | undefined): Where | undefined =>
    to === 1 ? undefined : partitionOf(symbol ?? "", to);
  const account = to === 1 ? undefined : 0;
  const everywhere: readonly (Where | undefined)[] =
    to === 1 ? [undefined] : Array.from({ length: to }, (_, n) => n);
  const pieces: Piece[] = [];
  const nameless: string[] = [];
  const sets = new Map<string, Set<string>>();
  const claims = new Map<string, Record<string, string>>();
  const each = new Map<string, Found[]>();
  for (const one of source) {
    const { key, wireName, kind } = one;
    const whole = (where: Where | undefined) =>
      pieces.push({ kind: "whole", from: key, to: keyIn(wireName, where) });
    switch (kind.kind) {
      case "symbol":
        whole(home(kind.symbol));
        break;
      case "account":
        whole(account);
        break;
      case "plan": {
        const symbol = symbols.get(kind.planId);
        if (to === 1 || symbol !== undefined) whole(home(symbol));
        else if (kind.guards && !(await isDryRun(redis, key))) nameless.push(key);
        break;
      }
      case "symbols":
        for (const symbol of await redis.smembers(key)) {
          const target = keyIn(wireName, home(symbol));
          sets.set(target, (sets.get(target) ?? new Set()).add(symbol));
        }
        break;
      case "claims":
        for (const [planId, claim] of Object.entries(await redis.hgetall(key))) {
          const symbol = symbols.get(planId);
          if (to > 1 && symbol === undefined) nameless.push(`${key} ${planId}`);
          const target = keyIn(wireName, home(symbol));
          claims.set(target, { ...claims.get(target), [planId]: claim });
        }
        break;
      case "each":
        each.set(wireName, [...(each.get(wireName) ?? []), one]);
        break;
      default:
    }
  }
  for (const [target, members] of sets) pieces.push({ kind: "set", to: target, members: [...members] });
  for (const [target, fields] of claims) pieces.push({ kind: "hash", to: target, fields });
  for (const [wireName, found] of each) pieces.push(...(await eachOf(redis, wireName, found, everywhere)));
  pieces.push(...streamPieces(streams, { symbols, home, everywhere, account }));
  return { pieces, nameless };
}

/** A dry run spends no permits that could be spent twice, and its mark expires within a day. */
async function isDryRun(redis: RedisClient, key: string): Promise<boolean> {
  return ((await redis.get(key).catch(() => null)) ?? "").startsWith("DRY_RUN ");
}

async function eachOf(
  redis: RedisClient,
  wireName: string,
  found: readonly Found[],
  everywhere: readonly (Where | undefined)[],
): Promise<Piece[]> {
  const [first] = found;
  if (first === undefined) return [];
  const values = await Promise.all(found.map(({ key }) => redis.get(key)));
  const isOne = everywhere[0] === undefined;
  if (wireName === WIRE.killSwitch && isOne) {
    const on = values.find(isKillSwitchOn);
    return on === undefined || on === null ? [] : [{ kind: "text", to: wireName, value: on }];
  }
  // Epochs that differ say nothing of the whole. Without one, the executor asks before it sends.
  if (wireName === WIRE.orderEpoch && new Set(values).size > 1) return [];
  return everywhere.map((where) => ({ kind: "whole", from: first.key, to: keyIn(wireName, where) }));
}

interface SourceStream {
  found: Found;
  name: string;
  entries: Entry[];
  groups: string[];
}

async function readStreams(redis: RedisClient, source: readonly Found[]): Promise<SourceStream[]> {
  const read: SourceStream[] = [];
  for (const found of source) {
    if (found.kind.kind !== "stream") continue;
    const groups = (await redis.xinfo("GROUPS", found.key)) as unknown[][];
    const entries = parseEntries(await redis.xrange(found.key, "-", "+"));
    read.push({ found, name: found.kind.name, entries, groups: groups.map((group) => String(group[1])) });
  }
  return read;
}

interface Routes {
  symbols: ReadonlyMap<string, string>;
  home: (symbol: string | undefined) => Where | undefined;
  everywhere: readonly (Where | undefined)[];
  account: Where | undefined;
}

/** Every place gets every stream that there was, so that its groups do not begin with what they had read. */
function streamPieces(streams: readonly SourceStream[], routes: Routes): Piece[] {
  const byName = Map.groupBy(streams, ({ found }) => found.wireName);
  return [...byName].flatMap(([wireName, sources]): Piece[] => {
    const groups = [...new Set(sources.flatMap((source) => source.groups))].toSorted();
    const entries = sources
      .flatMap((source) => source.entries.map((entry) => ({ entry, where: routeOf(source, entry, routes) })))
      .toSorted((a, b) => (a.entry.id === b.entry.id ? 0 : isLater(a.entry.id, b.entry.id) ? 1 : -1));
    const byPlace = Map.groupBy(entries, ({ where }) => where);
    return [...new Set([...routes.everywhere, ...byPlace.keys()])].map((where) => ({
      kind: "stream",
      to: keyIn(wireName, where),
      entries: increasing((byPlace.get(where) ?? []).map(({ entry }) => entry)),
      groups: where === "intake" ? [] : groups,
    }));
  });
}

function routeOf({ name }: SourceStream, { fields }: Entry, routes: Routes): Where | undefined {
  const { symbols, home, account } = routes;
  if (account === undefined) return undefined;
  if (name === "deadLetter" && fields["stream"] === WIRE.streams.proposal) return "intake";
  if (name === "deadLetter" || name === "operatorAudit") return account;
  const symbol = fields["symbol"] || symbols.get(fields["plan_id"] ?? "");
  return symbol === undefined ? account : home(symbol);
}

/** Entries of two streams may have the same id, and a stream takes only later ones. */
function increasing(entries: readonly Entry[]): Entry[] {
  let last = "0-0";
  return entries.map((entry) => {
    const [ms = "0", sequence = "0"] = last.split("-");
    last = isLater(entry.id, last) ? entry.id : `${ms}-${BigInt(sequence) + 1n}`;
    return { ...entry, id: last };
  });
}

/** Of each plan of which anything that is moved tells it. */
async function symbolsOfPlans(
  redis: RedisClient,
  source: readonly Found[],
  streams: readonly SourceStream[],
): Promise<Map<string, string>> {
  const symbols = new Map<string, string>();
  for (const { entries } of streams)
    for (const { fields } of entries)
      if (fields["symbol"]) symbols.set(fields["plan_id"] ?? "", fields["symbol"]);
  for (const { key, wireName, kind } of source) {
    if (kind.kind === "symbol" && wireName === WIRE.absent(kind.symbol))
      for (const planId of await redis.zrange(key, 0, -1)) symbols.set(planId, kind.symbol);
  }
  const ofPlans = source.flatMap(({ key, wireName, kind }) =>
    kind.kind === "plan" ? [{ key, wireName, ...kind }] : [],
  );
  for (let from = 0; from < ofPlans.length; from += BATCH) {
    const some = ofPlans.slice(from, from + BATCH);
    const told = await Promise.all(some.map((one) => symbolIn(redis, one)));
    for (const [at, symbol] of told.entries()) if (symbol) symbols.set(some[at]?.planId ?? "", symbol);
  }
  return symbols;
}

async function symbolIn(
  redis: RedisClient,
  { key, wireName, planId }: { key: string; wireName: string; planId: string },
): Promise<string | undefined> {
  if (wireName === WIRE.spent(planId)) {
    const [line = ""] = ((await redis.get(key)) ?? "").split("\n");
    return line.split(" ")[5];
  }
  if (wireName !== WIRE.order(planId) && wireName !== WIRE.plan(planId)) return undefined;
  return (await redis.hget(key, "symbol")) ?? undefined;
}
