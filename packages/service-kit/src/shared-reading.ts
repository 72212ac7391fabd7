/**
 * One reading shared by the gauges of a scrape. Gauges are collected concurrently: if one gauge set another, the other
 * would show the previous scrape's value.
 *
 * @returns the reading; without an answer, the last one (undefined before the first). /readyz reports the outage.
 */
export function sharedReading<T>(read: () => Promise<T>): () => Promise<T | undefined> {
  let current: Promise<T | undefined> | undefined;
  let last: T | undefined;
  return () =>
    (current ??= read()
      .then(
        (value) => (last = value),
        () => last,
      )
      .finally(() => (current = undefined)));
}
