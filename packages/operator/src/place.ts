import type { RedisClient } from "@quantum/redis";
import type { Partitions, Place as KitPlace } from "@quantum/service-kit";

/** Keys that lie in one slot, and a connection for commands to the server that has it. */
export type Place = Pick<KitPlace, "keys" | "redis">;

export interface NamedPlace extends Place {
  /** For people and in ids of a list's rows: a partition's, such as `q3`, or what else it is. Empty where there is only one place. */
  readonly name: string;
}

/** What queries and changes need. */
export interface Access {
  /** Where the symbols' keys are; those of the wire's layout are one partition. */
  readonly partitions: Partitions;
  /** Where proposals come in and become dead letters. With one partition, it is that one. */
  readonly intake: Place;
  /** A connection for commands to the server that has this key, such as one of the wire's. */
  readonly redisOf: (key: string) => RedisClient;
  /** Why it is not known how many partitions there are. Nothing but `redisOf` may be used then. */
  readonly uncounted?: () => Error | undefined;
}
