/**
 * Sentences about partitions, each said once. Partitions may share a server, or not: what is said of all of them alike is about
 * no one's partition.
 *
 * @param said for each partition, in the order of their numbers
 */
export function saidOnce(said: readonly (readonly string[])[]): string[] {
  const sentences = new Set(said.flat());
  return [...sentences].map((sentence) => {
    const numbers = said.flatMap((own, number) => (own.includes(sentence) ? [number] : []));
    if (numbers.length === said.length) return sentence;
    return `partition${numbers.length === 1 ? "" : "s"} ${numbers.join(", ")}: ${sentence}`;
  });
}
