/**
 * Changes how many partitions there are, while everything is stopped (docs/adr/0039). `quantum:partitions` says how far it is: no service starts
 * while it names two numbers. Copies have names of their own until their sources are deleted, because names of two layouts may be the same. Every
 * step may be repeated, so a run that was killed is run again.
 */
import { createKeys, unstaged } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { Access } from "../access.ts";
import { addAudit, type Mandate } from "../changes.ts";
import { copy, isThere } from "./copy.ts";
import { piecesOf } from "./pieces.ts";
import { whyNotQuiet } from "./quiet.ts";
import { type PartitionsState, stateOf, textOf } from "./state.ts";
import { type Found, type Listed, slotName, type Store, storeOf } from "./store.ts";

const WIRE = createKeys();
const BATCH = 200;
const NAMED_MAX = 10;
/** Of replicas that are connected; a command waits for 2 s. */
const REPLICATED_MS = 1_000;

type OnStep = (step: string) => void | Promise<void>;

export interface MigrateOptions {
  to: number;
  by: Mandate;
  /** Before each step that changes something; a test ends the run there. */
  onStep?: OnStep;
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

type FromTo = Extract<PartitionsState, { kind: "copying" | "deleting" | "naming" }>;

interface Looked {
  state: PartitionsState;
  problems: string[];
  store: Store;
}

/** Without a change: what the run would do, and why it cannot. */
export async function lookBefore(access: Pick<Access, "redisOf">, to: number): Promise<Looked> {
  const state = await readState(access.redisOf(WIRE.partitions));
  const from = state.kind === "settled" ? state.count : state.from;
  const store = await storeOf(access, Math.max(from, to, state.kind === "settled" ? to : state.to));
  const isOne = store.isCluster && (from === 1 || to === 1);
  // There, keys without a tag are in as many slots as there are of them.
  if (isOne) return { state, problems: [ONE_ON_A_CLUSTER], store };
  const listed = await store.list();
  const problems = await whyNotQuiet(store, [...listed.wire, ...listed.tagged]);
  if (state.kind === "settled" && state.count !== to)
    problems.push(...(await whyNotInto(store, listed, { from, to })));
  return { state, problems, store };
}

const ONE_ON_A_CLUSTER =
  "this is a cluster, where there cannot be one partition, and the first service with several says how many there are: change one to several on a single server, and load its keys into the cluster";

/** @throws {@link NotMigrated} */
export async function migrate(access: Pick<Access, "redisOf">, options: MigrateOptions): Promise<Migrated> {
  const { to } = options;
  const done: Migrated = { copied: 0, deleted: 0 };
  for (;;) {
    const { state, problems, store } = await lookBefore(access, to);
    if (problems.length > 0) throw new NotMigrated(problems.join("; "));
    const run = new Run(store, options, done);
    if (state.kind === "settled") {
      if (state.count === to) return done;
      await run.begin({ kind: "copying", from: state.count, to });
    } else if (state.kind === "deleting") await run.deleteSource(state);
    else if (state.kind === "naming") await run.nameCopies(state);
    else if (state.to === to) await run.copyAll(state);
    else await run.undo(state);
  }
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

function sourceIn({ wire, tagged }: Listed, from: number): readonly Found[] {
  return from === 1 ? wire : tagged;
}

async function whyNotInto(
  store: Store,
  listed: Listed,
  change: { from: number; to: number },
): Promise<string[]> {
  const { from, to } = change;
  const others = [
    ...(from === 1 ? listed.tagged : listed.tagged.filter(({ where }) => Number(where) >= from)),
    ...(from > 1 && to === 1 ? listed.wire : []),
  ];
  const inTheWay = others.filter(
    ({ kind, wireName }) => kind.kind !== "passing" && kind.kind !== "lapsed" && wireName !== WIRE.killSwitch,
  );
  const { nameless } = await piecesOf(store, sourceIn(listed, from), change);
  return [
    ...(inTheWay.length === 0
      ? []
      : [
          `keys of another layout are in the way: ${named(inTheWay.map(({ key }) => key))}: delete them if they are left of an earlier time`,
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

/** The steps, each of which ends with what the number's key says. */
class Run {
  readonly #store: Store;
  readonly #by: Mandate;
  readonly #onStep: OnStep;
  readonly #done: Migrated;

  constructor(store: Store, { by, onStep = () => undefined }: MigrateOptions, done: Migrated) {
    this.#store = store;
    this.#by = by;
    this.#onStep = onStep;
    this.#done = done;
  }

  async begin(state: FromTo): Promise<void> {
    // Of a change whose beginning a failover has forgotten.
    await this.#delete((await this.#store.list()).staged);
    await this.#onStep("audit");
    const { from, to } = state;
    const keys = createKeys(from === 1 ? {} : { partition: 0 });
    const redis = this.#store.of(keys.streams.operatorAudit);
    const entry = { action: "partitions.migrate", target: WIRE.partitions, detail: { from, to } };
    await addAudit({ redis, keys }, entry, this.#by);
    await this.#say("begin", state);
  }

  async copyAll({ from, to }: FromTo): Promise<void> {
    const store = this.#store;
    const source = sourceIn(await store.list(), from);
    const { pieces, nameless } = await piecesOf(store, source, { from, to });
    if (nameless.length > 0)
      throw new NotMigrated(`these do not tell their symbol, and must not be lost: ${named(nameless)}`);
    for (const some of batches(pieces)) {
      const copies = some.map(async (piece) => {
        await this.#onStep(`copy ${piece.to}`);
        await copy(store, piece);
      });
      // None goes on after this has failed.
      const ends = await Promise.allSettled(copies);
      for (const end of ends) if (end.status === "rejected") throw end.reason;
      this.#done.copied += some.length;
    }
    const other: string[] = [];
    for (const some of batches(pieces)) {
      const there = await Promise.all(some.map((piece) => isThere(store, piece)));
      other.push(...some.flatMap(({ to: key }, at) => (there[at] === true ? [] : [unstaged(key)])));
    }
    const known = new Set(source.map(({ key }) => key));
    const later = sourceIn(await store.list(), from).filter(({ key }) => !known.has(key));
    other.push(...later.map(({ key }) => key));
    if (other.length > 0)
      throw new NotMigrated(
        `after the copy these are not as they were: ${named(other)}; nothing was deleted. Has something written to them?`,
      );
    await this.#say("copied", { kind: "deleting", from, to });
  }

  /** What expires by itself is left, and the wire's kill switch, which is the operators'. */
  async deleteSource({ from, to }: FromTo): Promise<void> {
    const source = sourceIn(await this.#store.list(), from);
    const found = source.filter(({ key, kind }) => kind.kind !== "passing" && key !== WIRE.killSwitch);
    await this.#delete(found.map(({ key }) => key));
    await this.#say("deleted", { kind: "naming", from, to });
  }

  async nameCopies({ to }: FromTo): Promise<void> {
    for (const some of batches((await this.#store.list()).staged)) {
      const ends = await Promise.allSettled(
        some.map(async (key) => {
          await this.#onStep(`name ${key}`);
          await this.#store.of(key).rename(key, unstaged(key)).catch(ignoreExpired);
        }),
      );
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    }
    await this.#settle(to);
  }

  /** Back to what is whole. */
  async undo({ from }: FromTo): Promise<void> {
    await this.#delete((await this.#store.list()).staged);
    await this.#settle(from);
  }

  async #delete(keys: readonly string[]): Promise<void> {
    for (const some of batches(keys)) {
      await this.#onStep(`delete ${some[0]}`);
      const bySlot = Map.groupBy(some, slotName);
      await Promise.all([...bySlot].map(([slot, together]) => this.#store.of(slot).del(...together)));
    }
    this.#done.deleted += keys.length;
  }

  /** One partition is what no key says. */
  async #settle(count: number): Promise<void> {
    await this.#say("settle", { kind: "settled", count });
  }

  /** Masters forget each their own: none may know less than the number's key says, and that key no less than what is done next. */
  async #say(step: string, state: PartitionsState): Promise<void> {
    await Promise.all(this.#store.clients.map(isReplicated));
    await this.#onStep(step);
    const home = this.#store.of(WIRE.partitions);
    if (state.kind === "settled" && state.count === 1) await home.del(WIRE.partitions);
    else await home.set(WIRE.partitions, textOf(state));
    await isReplicated(home);
  }
}

async function isReplicated(redis: RedisClient): Promise<void> {
  const replicas = Number(/^connected_slaves:(\d+)/m.exec(await redis.info("replication"))?.[1]);
  if (replicas > 0 && (await redis.wait(replicas, REPLICATED_MS)) < replicas)
    throw new NotMigrated("a replica does not follow its master: run it again");
}

/** Between the listing and its turn. */
function ignoreExpired(error: Error): void {
  if (!error.message.startsWith("ERR no such key")) throw error;
}

function batches<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / BATCH) }, (_, at) =>
    all.slice(at * BATCH, (at + 1) * BATCH),
  );
}
