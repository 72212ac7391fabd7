/** What of Redis made an operator's piece of work fail. */
import { dispositionOf, isUnanswered, type RedisClient } from "@quantum/redis";
import { keysInTheWay } from "@quantum/service-kit";
import { namesOf } from "./everywhere.ts";
import type { NamedPlace, Place } from "./place.ts";

/** Why Redis did not do what it was asked to do. */
export type AccessProblem =
  /** It refuses what the URL names, such as a user or a database. */
  | { kind: "refused"; advice: string }
  /** Keys of the pipeline have another type. A sentence each. */
  | { kind: "keys in the way"; found: readonly string[] }
  /** `where`, as in " in q2 and q3"; empty if no part of it answers, or it has no parts. */
  | { kind: "no answer"; where: string }
  /** It answers, and cannot do this at the moment. */
  | { kind: "not now"; meaning: string }
  /** It answers with another error, which the message has. */
  | { kind: "error" };

/** Whether the error says that the Redis user may not do this. */
export function refusesRights(error: unknown): boolean {
  const disposition = dispositionOf(error);
  return disposition.kind === "refused" && disposition.concerns === "rights";
}

/** More would keep Redis from the pipeline. */
const SYMBOLS_MAX = 200;

/** Sentences that name them, of the fixed keys and those of symbols. */
async function wrongKeys({ redis, keys }: Place): Promise<string[]> {
  const sets = [keys.orderSymbols, keys.waitingSymbols];
  const known = await Promise.all(sets.map((set) => redis.smembers(set).catch(() => [])));
  const symbols = [...new Set(known.flat())].slice(0, SYMBOLS_MAX);
  const ofSymbols = symbols.flatMap((symbol): [key: string, type: string][] => [
    [keys.ledger(symbol), "hash"],
    [keys.snapshot(symbol), "hash"],
    [keys.waiting(symbol), "zset"],
    [keys.unsettled(symbol), "zset"],
    [keys.unknown(symbol), "set"],
  ]);
  return keysInTheWay(redis, keys, ofSymbols);
}

/** Of a plan, or of a symbol that no index has: Redis does not say which key it is. */
const OF_SYMBOL_OR_PLAN =
  "a key of the symbol or the plan is of the wrong type: find it with redis-cli TYPE, then rename or delete it";

/** Undefined: the failure is not Redis's. @param places all with which something was done */
export async function problemOf(
  failure: Error,
  places: readonly NamedPlace[],
): Promise<AccessProblem | undefined> {
  const clients: readonly RedisClient[] = places.map(({ redis }) => redis);
  // The command may only have heard that its connection failed.
  const problem = clients.find((client) => client.problem !== undefined)?.problem;
  const cause = problem ?? failure;
  const disposition = dispositionOf(cause);
  if (disposition.kind === "refused") return { kind: "refused", advice: disposition.advice };
  if (cause.message.startsWith("WRONGTYPE")) {
    const found = await Promise.all(places.map((place) => wrongKeys(place).catch(() => [])));
    const all = [...new Set(found.flat())];
    return { kind: "keys in the way", found: all.length === 0 ? [OF_SYMBOL_OR_PLAN] : all };
  }
  if (disposition.kind === "command") return cause.name === "ReplyError" ? { kind: "error" } : undefined;
  const silent = places.filter(({ redis }) => redis.problem !== undefined || redis.status !== "ready");
  if (silent.length > 0 || isUnanswered(cause)) return { kind: "no answer", where: whereOf(silent, places) };
  // An error of our own is no word of Redis's.
  return cause.name === "ReplyError" ? { kind: "not now", meaning: disposition.meaning } : undefined;
}

function whereOf(silent: readonly NamedPlace[], places: readonly NamedPlace[]): string {
  if (silent.length === places.length) return "";
  const named = silent.map((place) => ({ place }));
  return named.length === 0 ? "" : ` in ${namesOf(named)}`;
}
