import type { Place as KitPlace } from "@quantum/service-kit";

/** Keys that lie in one slot, and a connection for commands to the server that has it. */
export type Place = Pick<KitPlace, "keys" | "redis">;

export interface NamedPlace extends Place {
  /** For people and in ids of a list's rows: a partition's, such as `q3`, or what else it is. Empty where there is only one place. */
  readonly name: string;
}
