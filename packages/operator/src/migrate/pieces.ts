/** What a change of the number of partitions puts into the new layout, key by key. */
import { createKeys, keyIn, partitionOf, staged, type Where } from "@quantum/contract";
import { isKillSwitchOn } from "@quantum/service-kit";
import type { Piece } from "./copy.ts";
import type { Found, Store } from "./store.ts";
import { readStreams, type SourceStream, streamPieces } from "./streams.ts";

export interface Pieces {
  pieces: readonly Piece[];
  /** Keys that must be moved, and do not tell to which symbol they belong. */
  nameless: readonly string[];
}

const BATCH = 500;
const WIRE = createKeys();

/** @param source all keys of the layout that has `from` partitions */
export async function piecesOf(
  store: Store,
  source: readonly Found[],
  { from, to }: { from: number; to: number },
): Promise<Pieces> {
  const streams = await readStreams(store, source);
  const symbols = to === 1 ? new Map<string, string>() : await symbolsOfPlans(store, source, streams);
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
        else if (kind.guards && !(await isDryRun(store, key))) nameless.push(key);
        break;
      }
      case "symbols":
        for (const symbol of await store.of(key).smembers(key)) {
          const target = keyIn(wireName, home(symbol));
          sets.set(target, (sets.get(target) ?? new Set()).add(symbol));
        }
        break;
      case "claims":
        for (const [planId, claim] of Object.entries(await store.of(key).hgetall(key))) {
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
  for (const [wireName, found] of each)
    pieces.push(...(await eachOf(store, wireName, found, { from, everywhere })));
  pieces.push(...streamPieces(streams, { symbols, home, everywhere, account }));
  return { pieces: pieces.map((piece) => ({ ...piece, to: staged(piece.to) })), nameless };
}

/** A dry run spends no permits that could be spent twice, and its mark expires within a day. */
async function isDryRun(store: Store, key: string): Promise<boolean> {
  return (
    (await store
      .of(key)
      .get(key)
      .catch(() => null)) ?? ""
  ).startsWith("DRY_RUN ");
}

async function eachOf(
  store: Store,
  wireName: string,
  found: readonly Found[],
  { from, everywhere }: { from: number; everywhere: readonly (Where | undefined)[] },
): Promise<Piece[]> {
  const [first] = found;
  if (first === undefined) return [];
  const values = await Promise.all(found.map(({ key }) => store.of(key).get(key)));
  if (wireName === WIRE.killSwitch) {
    const on = values.find(isKillSwitchOn);
    if (on === undefined || on === null) return [];
    return everywhere.map((where) => ({ kind: "text", to: keyIn(wireName, where), value: on }));
  }
  // Epochs that differ say nothing of the whole. Without one, the executor asks before it sends.
  if (wireName === WIRE.orderEpoch && (new Set(values).size > 1 || found.length < from)) return [];
  return everywhere.map((where) => ({ kind: "whole", from: first.key, to: keyIn(wireName, where) }));
}

/** Of each plan of which anything that is moved tells it. */
async function symbolsOfPlans(
  store: Store,
  source: readonly Found[],
  streams: readonly SourceStream[],
): Promise<Map<string, string>> {
  const symbols = new Map<string, string>();
  for (const { entries } of streams)
    for (const { fields } of entries)
      if (fields["symbol"]) symbols.set(fields["plan_id"] ?? "", fields["symbol"]);
  for (const { key, wireName, kind } of source) {
    if (kind.kind === "symbol" && wireName === WIRE.absent(kind.symbol))
      for (const planId of await store.of(key).zrange(key, 0, -1)) symbols.set(planId, kind.symbol);
  }
  const ofPlans = source.flatMap(({ key, wireName, kind }) =>
    kind.kind === "plan" ? [{ key, wireName, ...kind }] : [],
  );
  for (let from = 0; from < ofPlans.length; from += BATCH) {
    const some = ofPlans.slice(from, from + BATCH);
    const told = await Promise.all(some.map((one) => symbolIn(store, one)));
    for (const [at, symbol] of told.entries()) if (symbol) symbols.set(some[at]?.planId ?? "", symbol);
  }
  return symbols;
}

async function symbolIn(
  store: Store,
  { key, wireName, planId }: { key: string; wireName: string; planId: string },
): Promise<string | undefined> {
  if (wireName === WIRE.spent(planId)) {
    const [line = ""] = ((await store.of(key).get(key)) ?? "").split("\n");
    return line.split(" ")[5];
  }
  if (wireName !== WIRE.order(planId) && wireName !== WIRE.plan(planId)) return undefined;
  return (await store.of(key).hget(key, "symbol")) ?? undefined;
}
