/**
 * Reads stream ids: `<ms>-<sequence>`, assigned by Redis. Source:
 * https://redis.io/docs/latest/develop/data-types/streams/#entry-ids
 */

/** When an entry was appended, in ms of Redis's clock. */
export function addedAtMs(id: string): number {
  return Number(id.split("-")[0]);
}

/** Whether the entry `id` was appended after `than`. */
export function isLater(id: string, than: string): boolean {
  // A sequence number may exceed the exact range of Number.
  const [ms = 0n, sequence = 0n] = id.split("-").map(BigInt);
  const [otherMs = 0n, otherSequence = 0n] = than.split("-").map(BigInt);
  return ms > otherMs || (ms === otherMs && sequence > otherSequence);
}
