/** The same stream of several places, as one list: newest first, entries with the same id in the order of the places. */
import type { StreamName } from "@quantum/topology";
import { type Entry, isLater } from "@quantum/streams";
import { batchesNewestFirst, ENTRY_ID } from "./entries.ts";
import type { NamedPlace } from "./place.ts";

export interface PlacedEntry {
  /** Its own id, and behind `@` its place's name if it has one. Also the cursor from which a list goes on. */
  id: string;
  entry: Entry;
}

interface ListOptions {
  /** The {@link PlacedEntry}.id of the last row that was seen. */
  cursor?: string | undefined;
  /** Entries of a batch. */
  most?: number;
}

/** @throws RangeError if the cursor is not one of ours */
export async function* newestOfAll(
  places: readonly NamedPlace[],
  stream: StreamName,
  { cursor, most }: ListOptions = {},
): AsyncGenerator<PlacedEntry> {
  const seen = cursor === undefined || cursor === "" ? undefined : placeOfId(places, cursor);
  if (cursor && seen === undefined)
    throw new RangeError(`cursor ${JSON.stringify(cursor)}: it is none of ours`);
  const sources = places.map((place, at) => {
    // An entry with the cursor's id has been seen in the places up to the cursor's.
    const from =
      seen === undefined ? "+" : at <= places.indexOf(seen.place) ? `(${seen.entryId}` : seen.entryId;
    return entriesOf(place, stream, from, most);
  });
  for await (const [entry, at] of mergedNewestFirst(sources)) {
    const place = places[at];
    if (place !== undefined) yield { id: placedId(place, entry.id), entry };
  }
}

async function* entriesOf(
  { redis, keys }: NamedPlace,
  stream: StreamName,
  from: string,
  most: number | undefined,
): AsyncGenerator<Entry> {
  for await (const batch of batchesNewestFirst(redis, keys.streams[stream], { from }, most)) yield* batch;
}

/** Of sources that have their newest first. With each comes the number of its source. */
async function* mergedNewestFirst<T extends { id: string }>(
  sources: readonly AsyncIterable<T>[],
): AsyncGenerator<[item: T, source: number]> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]());
  const heads = await Promise.all(iterators.map((iterator) => iterator.next()));
  for (;;) {
    let newest: { at: number; item: T } | undefined;
    for (const [at, head] of heads.entries())
      if (head.done !== true && (newest === undefined || isLater(head.value.id, newest.item.id)))
        newest = { at, item: head.value };
    const iterator = newest && iterators[newest.at];
    if (newest === undefined || iterator === undefined) return;
    yield [newest.item, newest.at];
    heads[newest.at] = await iterator.next();
  }
}

export function placedId({ name }: NamedPlace, entryId: string): string {
  return name === "" ? entryId : `${entryId}@${name}`;
}

/** Undefined if it is no {@link PlacedEntry}.id of one of the places. */
export function placeOfId(
  places: readonly NamedPlace[],
  id: string,
): { place: NamedPlace; entryId: string } | undefined {
  const [entryId = "", name = "", ...more] = id.split("@");
  const place = places.find((candidate) => candidate.name === name);
  return place === undefined || more.length > 0 || !ENTRY_ID.test(entryId) ? undefined : { place, entryId };
}
