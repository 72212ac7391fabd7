/** What the streams of one layout become in another. */
import { createKeys, keyIn, type Keys, locate, type Where } from "@quantum/contract";
import { type Entry, isLater, parseEntries } from "@quantum/streams";
import type { Piece } from "./copy.ts";
import { type GroupState, groupsOf } from "./quiet.ts";
import type { Found, Store } from "./store.ts";

const WIRE = createKeys();
const DEAD_LETTERS = WIRE.streams.deadLetter;

export interface SourceStream {
  found: Found;
  name: keyof Keys["streams"];
  entries: Entry[];
  groups: GroupState[];
}

export async function readStreams(store: Store, source: readonly Found[]): Promise<SourceStream[]> {
  const read: SourceStream[] = [];
  for (const found of source) {
    if (found.kind.kind !== "stream") continue;
    const { key } = found;
    const groups = await groupsOf(store.of(key), key);
    const entries = parseEntries(await store.of(key).xrange(key, "-", "+"));
    read.push({ found, name: found.kind.name, entries, groups });
  }
  return read;
}

interface Routes {
  symbols: ReadonlyMap<string, string>;
  home: (symbol: string | undefined) => Where | undefined;
  everywhere: readonly (Where | undefined)[];
  account: Where | undefined;
}

interface Routed {
  entry: Entry;
  from: string;
  where: Where | undefined;
}

/** Where an entry is in the new layout, by its stream and id in the old one. */
type Moved = Map<string, { where: Where | undefined; stream: string; id: string }>;

/** Every place gets every stream that there was, so that its groups do not begin with what they had read. */
export function streamPieces(streams: readonly SourceStream[], routes: Routes): Piece[] {
  const byName = Map.groupBy(streams, ({ found }) => found.wireName);
  const moved: Moved = new Map();
  const piecesOf = (wireName: string, route: (source: SourceStream, entry: Entry) => Routed): Piece[] => {
    const sources = byName.get(wireName) ?? [];
    const names = [...new Set(sources.flatMap(({ groups }) => groups.map(({ name }) => name)))].toSorted();
    const routed = sources
      .flatMap((source) =>
        source.entries.map((entry) => ({ ...route(source, entry), unreadBy: unreadBy(source, entry) })),
      )
      .toSorted((a, b) => (a.entry.id === b.entry.id ? 0 : isLater(a.entry.id, b.entry.id) ? 1 : -1));
    const byPlace = Map.groupBy(routed, ({ where }) => where);
    const places = sources.length === 0 ? [] : [...new Set([...routes.everywhere, ...byPlace.keys()])];
    return places.map((where) => {
      const to = keyIn(wireName, where);
      const here = byPlace.get(where) ?? [];
      const entries = increasing(to, here, moved);
      const groups = names.map((name) => ({ name, lastId: lastRead(name, here, entries) }));
      return { kind: "stream", to, entries, groups: where === "intake" ? [] : groups };
    });
  };
  // Dead letters last: they tell where the entry is that they are of.
  const others = [...byName.keys()].filter((wireName) => wireName !== DEAD_LETTERS);
  return [
    ...others.flatMap((wireName) => piecesOf(wireName, (source, entry) => routeOf(source, entry, routes))),
    ...piecesOf(DEAD_LETTERS, (source, entry) => letterRoute(source, entry, { routes, moved, byName })),
  ];
}

function unreadBy({ groups }: SourceStream, { id }: Entry): string[] {
  return groups.flatMap(({ name, lastId }) => (isLater(id, lastId) ? [name] : []));
}

/** Before the first that the group has not read: one that it has read behind it is read twice, and none is lost. */
function lastRead(
  group: string,
  routed: readonly { unreadBy: readonly string[] }[],
  entries: readonly Entry[],
): string {
  const unread = routed.findIndex((one) => one.unreadBy.includes(group));
  const read = unread === -1 ? entries.length : unread;
  return entries[read - 1]?.id ?? "0-0";
}

function routeOf({ name, found }: SourceStream, entry: Entry, routes: Routes): Routed {
  const { symbols, home, account } = routes;
  const to = (where: Where | undefined): Routed => ({ entry, from: found.key, where });
  if (account === undefined) return to(undefined);
  if (name === "operatorAudit") return to(found.where === "intake" ? "intake" : account);
  const symbol = entry.fields["symbol"] || symbols.get(entry.fields["plan_id"] ?? "");
  return to(symbol === undefined ? account : home(symbol));
}

/** To where its entry is, since it is requeued in one step; with the account's if that is no longer there. */
function letterRoute(
  { found }: SourceStream,
  entry: Entry,
  {
    routes: { account },
    moved,
    byName,
  }: { routes: Routes; moved: Moved; byName: ReadonlyMap<string, unknown> },
): Routed {
  const { stream = "", entry_id: id = "" } = entry.fields;
  const to = (where: Where | undefined, told: Record<string, string>): Routed => ({
    entry: { ...entry, fields: { ...entry.fields, ...told } },
    from: found.key,
    where,
  });
  if (stream === WIRE.streams.proposal) return to(account === undefined ? undefined : "intake", {});
  const place = moved.get(`${stream} ${id}`);
  if (place !== undefined) return to(place.where, { stream: place.stream, entry_id: place.id });
  const { wireName } = locate(stream);
  return to(account, byName.has(wireName) ? { stream: keyIn(wireName, account) } : {});
}

/** Entries of two streams may have the same id, and a stream takes only later ones. */
function increasing(stream: string, routed: readonly Routed[], moved: Moved): Entry[] {
  let last = "0-0";
  return routed.map(({ entry, from, where }) => {
    const [ms = "0", sequence = "0"] = last.split("-");
    last = isLater(entry.id, last) ? entry.id : `${ms}-${BigInt(sequence) + 1n}`;
    moved.set(`${from} ${entry.id}`, { where, stream, id: last });
    return { ...entry, id: last };
  });
}
