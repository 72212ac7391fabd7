/**
 * What the gauges of one scrape share. Metrics are collected side by side: a gauge that is set while another one is
 * collected shows what the scrape before it found.
 *
 * @returns the reading; without an answer the last one, from which ages go on growing; undefined before the first.
 * /readyz tells of the outage.
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
