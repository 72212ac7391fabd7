/** What several sources yield: what comes first is first. */
export async function* merged<T>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const advance = async (source: AsyncGenerator<T>) => ({ source, next: await source.next() });
  const pending = new Map(sources.map((source) => [source, advance(source)]));
  while (pending.size > 0) {
    const { source, next } = await Promise.race(pending.values());
    if (next.done === true) pending.delete(source);
    else {
      pending.set(source, advance(source));
      yield next.value;
    }
  }
}
