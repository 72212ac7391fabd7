/**
 * Reads stream ids: `<ms>-<sequence>`, assigned by Redis. Source:
 * https://redis.io/docs/latest/develop/data-types/streams/#entry-ids
 */

/** An id's two numbers, as text: a sequence number may exceed the exact range of Number. */
export function partsOf(id: string): [ms: string, sequence: string] {
  const [ms = "", sequence = "0"] = id.split("-");
  return [ms, sequence];
}

/** When an entry was appended, in ms of Redis's clock. */
export function addedAtMs(id: string): number {
  return Number(partsOf(id)[0]);
}

/** Whether the entry `id` was appended after `than`. */
export function isLater(id: string, than: string): boolean {
  const [ms = 0n, sequence = 0n] = partsOf(id).map(BigInt);
  const [otherMs = 0n, otherSequence = 0n] = partsOf(than).map(BigInt);
  return ms > otherMs || (ms === otherMs && sequence > otherSequence);
}
