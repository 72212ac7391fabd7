/** Whether everything is stopped and settled: what is under way would be in neither layout. */
import { createKeys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import { isLater } from "@quantum/streams";
import type { Found, Store } from "./store.ts";

/** Longer than any lease. */
const SEEN_MS = 15_000;
const NAMED_MAX = 10;
const WIRE = createKeys();

/** Services name their connections `<service>@<host>:<port>:<role>`. */
const CONNECTION = / name=(\S+@\S+?):(?:commands|blocking)\S* /g;

/** A sentence each; none: it may begin. @param found the keys of every layout */
export async function whyNotQuiet(store: Store, found: readonly Found[]): Promise<string[]> {
  const lists = await Promise.all(store.clients.map((redis) => redis.client("LIST")));
  const connected = [...lists.join("\n").matchAll(CONNECTION)].map(([, name = ""]) => name);
  const services = [...new Set(connected)].toSorted();
  const problems = services.length === 0 ? [] : [`services are connected: ${services.join(", ")}; stop them`];
  for (const { key, wireName, kind } of found) {
    if (wireName === WIRE.orderOwner || wireName === WIRE.booker) {
      const [seconds] = await store.of(key).time();
      const agoMs = Number(seconds) * 1_000 - Number((await store.of(key).hget(key, "seen_ms")) ?? 0);
      if (agoMs < SEEN_MS)
        problems.push(`${key}: its owner was seen within ${SEEN_MS / 1_000} s; wait, then try again`);
    }
    if (wireName === WIRE.handedOver) problems.push(`${key}: orders are handed over that have no outcome`);
    if (kind.kind === "symbol") {
      if (wireName === WIRE.waiting(kind.symbol)) problems.push(`${key}: plans wait`);
      if (wireName === WIRE.unsettled(kind.symbol)) problems.push(`${key}: orders are not settled`);
      if (wireName === WIRE.unknown(kind.symbol)) problems.push(`${key}: orders are in doubt`);
    }
    if (kind.kind === "stream") problems.push(...(await unfinished(store.of(key), key, wireName)));
  }
  problems.push(...(await pendingProposals(store.of(WIRE.streams.proposal))));
  return problems.length <= NAMED_MAX
    ? problems
    : [...problems.slice(0, NAMED_MAX), `and ${problems.length - NAMED_MAX} more`];
}

export interface GroupState {
  name: string;
  pending: number;
  lastId: string;
}

export async function groupsOf(redis: RedisClient, key: string): Promise<GroupState[]> {
  const groups = (await redis.xinfo("GROUPS", key)) as unknown[][];
  return groups.map((flat) => {
    const field = (name: string) => flat[flat.indexOf(name) + 1];
    return {
      name: String(field("name")),
      pending: Number(field("pending")),
      lastId: String(field("last-delivered-id")),
    };
  });
}

/** An operator's changes, this one too, may be read afterwards: position-brain's log is their second record. */
async function unfinished(redis: RedisClient, key: string, wireName: string): Promise<string[]> {
  const mayWait = wireName === WIRE.streams.operatorAudit;
  const [newest] = await redis.xrevrange(key, "+", "-", "COUNT", 1);
  return (await groupsOf(redis, key)).flatMap(({ name, pending, lastId }) => {
    if (pending > 0) return [`${key}: ${pending} entries of group ${name} are pending`];
    return !mayWait && newest !== undefined && isLater(newest[0], lastId)
      ? [`${key}: group ${name} has not read all of it`]
      : [];
  });
}

/** Publishers need not be stopped: what they add is read afterwards. */
async function pendingProposals(redis: RedisClient): Promise<string[]> {
  const key = WIRE.streams.proposal;
  if ((await redis.exists(key)) === 0) return [];
  return (await groupsOf(redis, key)).flatMap(({ name, pending }) =>
    pending > 0 ? [`${key}: ${pending} entries of group ${name} are pending`] : [],
  );
}
