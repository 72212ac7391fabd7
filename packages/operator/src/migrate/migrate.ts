/**
 * Changes how many partitions there are, while everything is stopped (docs/adr/0039). `quantum:partitions` says how far it is: no service starts
 * while it names two numbers. Every step may be repeated, so a run that was killed is run again.
 */
import { createKeys } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { Access } from "../access.ts";
import { addAudit, type Mandate } from "../changes.ts";
import { copy, isThere } from "./copy.ts";
import { type Found, keysOfLayout, type Piece, piecesOf } from "./pieces.ts";
import { whyNotQuiet } from "./quiet.ts";
import { type PartitionsState, stateOf, textOf } from "./state.ts";

const WIRE = createKeys();
const BATCH = 200;
const NAMED_MAX = 10;

export interface MigrateOptions {
  to: number;
  by: Mandate;
  /** Before each step that changes something; a test ends the run there. */
  onStep?: (step: string) => void | Promise<void>;
}

export interface Migrated {
  /** Keys copied, of every step that this run made. */
  copied: number;
  deleted: number;
}

/** Why nothing can be changed now. Its message is an operator's text. */
export class NotMigrated extends Error {
  override readonly name = "NotMigrated";
}

/** Without a change: what the run would do, and why it cannot. */
export async function lookBefore(
  access: Pick<Access, "redisOf">,
  to: number,
): Promise<{ state: PartitionsState; problems: string[] }> {
  const redis = home(access);
  const state = await readState(redis);
  const isCluster = await whyNoServer(redis);
  // There, the keys are not all here.
  if (isCluster.length > 0) return { state, problems: isCluster };
  const problems = await whyNotQuiet(redis, await allKeys(redis));
  if (state.kind === "settled" && state.count !== to)
    problems.push(...(await whyNotInto(redis, state.count, nextOf(state.count, to))));
  return { state, problems };
}

/**
 * From one number to another goes by one partition: names of two layouts with tags would be the same keys.
 * @throws {@link NotMigrated}
 */
export async function migrate(access: Pick<Access, "redisOf">, options: MigrateOptions): Promise<Migrated> {
  const redis = home(access);
  const { to } = options;
  const done: Migrated = { copied: 0, deleted: 0 };
  for (;;) {
    const { state, problems } = await lookBefore(access, to);
    if (problems.length > 0) throw new NotMigrated(problems.join("; "));
    if (state.kind === "settled") {
      if (state.count === to) return done;
      const next = nextOf(state.count, to);
      await begin(redis, { kind: "copying", from: state.count, to: next }, options);
    } else if (state.kind === "deleting")
      await keepOnly(redis, { kept: state.to, dropped: state.from }, options, done);
    else if (state.to === to || (to !== state.from && state.to === 1))
      await copyAll(redis, state, options, done);
    // Back to what is whole.
    else await keepOnly(redis, { kept: state.from, dropped: state.to }, options, done);
  }
}

/** To the one server. */
function home({ redisOf }: Pick<Access, "redisOf">): RedisClient {
  return redisOf(WIRE.partitions);
}

function nextOf(from: number, to: number): number {
  return from === 1 ? to : 1;
}

async function readState(redis: RedisClient): Promise<PartitionsState> {
  const text = await redis.get(WIRE.partitions);
  const state = stateOf(text);
  if (state === undefined)
    throw new NotMigrated(
      `${WIRE.partitions} says ${JSON.stringify(text)}: SET it to the number of partitions first`,
    );
  return state;
}

async function allKeys(redis: RedisClient): Promise<Found[]> {
  return [...(await keysOfLayout(redis, false)), ...(await keysOfLayout(redis, true))];
}

/** Keys of one layout are on one server, and so must those of the other be. */
async function whyNoServer(redis: RedisClient): Promise<string[]> {
  const mode = /^redis_mode:(\w+)/m.exec(await redis.info("server"))?.[1];
  if (mode !== "cluster") return [];
  return [
    "this is a cluster, where there cannot be one partition: change the number on a single server, and load its keys into the cluster",
  ];
}

async function whyNotInto(redis: RedisClient, from: number, to: number): Promise<string[]> {
  const [source, target] = await Promise.all([keysOfLayout(redis, from > 1), keysOfLayout(redis, to > 1)]);
  const inTheWay = target.filter(
    ({ kind, wireName }) => kind.kind !== "passing" && kind.kind !== "lapsed" && wireName !== WIRE.killSwitch,
  );
  const { nameless } = await piecesOf(redis, source, to);
  return [
    ...(inTheWay.length === 0
      ? []
      : [
          `keys of the other layout are in the way: ${named(inTheWay.map(({ key }) => key))}: delete them if they are left of an earlier time`,
        ]),
    ...(nameless.length === 0
      ? []
      : [`these do not tell their symbol, and must not be lost: ${named(nameless)}`]),
  ];
}

function named(keys: readonly string[]): string {
  const more = keys.length - NAMED_MAX;
  return `${keys.slice(0, NAMED_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

async function begin(
  redis: RedisClient,
  state: Extract<PartitionsState, { kind: "copying" }>,
  { by, onStep }: MigrateOptions,
): Promise<void> {
  await onStep?.("audit");
  const keys = createKeys(state.from === 1 ? {} : { partition: 0 });
  const { from, to } = state;
  await addAudit(
    { redis, keys },
    { action: "partitions.migrate", target: WIRE.partitions, detail: { from, to } },
    by,
  );
  await onStep?.("begin");
  await redis.set(WIRE.partitions, textOf(state));
}

async function copyAll(
  redis: RedisClient,
  { from, to }: { from: number; to: number },
  { onStep }: MigrateOptions,
  done: Migrated,
): Promise<void> {
  const { pieces, nameless } = await piecesOf(redis, await keysOfLayout(redis, from > 1), to);
  if (nameless.length > 0)
    throw new NotMigrated(`these do not tell their symbol, and must not be lost: ${named(nameless)}`);
  for (const some of batches(pieces)) {
    const copies = some.map(async (piece) => {
      await onStep?.(`copy ${piece.to}`);
      await copy(redis, piece);
    });
    // None goes on after this has failed.
    const ends = await Promise.allSettled(copies);
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    done.copied += some.length;
  }
  const other: string[] = [];
  for (const some of batches(pieces)) {
    const there = await Promise.all(some.map((piece) => isThere(redis, piece)));
    other.push(...some.flatMap(({ to: key }, at) => (there[at] === true ? [] : [key])));
  }
  if (other.length > 0)
    throw new NotMigrated(
      `after the copy these are not as they were: ${named(other)}; nothing was deleted. Has something written to them?`,
    );
  await onStep?.("copied");
  await redis.set(WIRE.partitions, textOf({ kind: "deleting", from, to }));
}

/** Ends a change with one of its two layouts. */
async function keepOnly(
  redis: RedisClient,
  { kept, dropped }: { kept: number; dropped: number },
  { onStep }: MigrateOptions,
  done: Migrated,
): Promise<void> {
  done.deleted += await deleteLayout(redis, dropped > 1, onStep);
  await settle(redis, kept, onStep);
}

/** What expires by itself is left, and the wire's kill switch, which is the operators'. */
async function deleteLayout(
  redis: RedisClient,
  isTagged: boolean,
  onStep: MigrateOptions["onStep"],
): Promise<number> {
  const found = (await keysOfLayout(redis, isTagged)).filter(
    ({ key, kind }) => kind.kind !== "passing" && key !== WIRE.killSwitch,
  );
  for (const some of batches(found)) {
    await onStep?.(`delete ${some[0]?.key}`);
    await redis.del(...some.map(({ key }) => key));
  }
  return found.length;
}

/** One partition is what no key says. */
async function settle(redis: RedisClient, count: number, onStep: MigrateOptions["onStep"]): Promise<void> {
  await onStep?.("settle");
  if (count === 1) await redis.del(WIRE.partitions);
  else await redis.set(WIRE.partitions, textOf({ kind: "settled", count }));
}

function batches<T extends Piece | Found>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, at) =>
    all.slice(at * BATCH, (at + 1) * BATCH),
  );
}
