/** Ends a sentence about one partition, by its name; empty in the wire's layout. */
export function ofPartition(name: string): string {
  return name === "" ? "" : ` of partition ${name}`;
}

/** As in "partitions q0, q2". */
export function partitionsText(names: readonly string[]): string {
  return `partition${names.length === 1 ? "" : "s"} ${names.join(", ")}`;
}

/**
 * Sentences about partitions, each said once. Partitions may share a server, or not: what is said of all of them alike is about
 * no one's partition.
 *
 * @param said for each partition, in the order of their numbers
 */
export function saidOnce(said: readonly (readonly string[])[]): string[] {
  const sentences = new Set(said.flat());
  return [...sentences].map((sentence) => {
    const names = said.flatMap((own, number) => (own.includes(sentence) ? [`q${number}`] : []));
    if (names.length === said.length) return sentence;
    return `${partitionsText(names)}: ${sentence}`;
  });
}
