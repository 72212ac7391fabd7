import type { Place as KitPlace } from "@quantum/service-kit";

/** Keys that lie in one slot, and a connection for commands to the server that has it. */
export type Place = Pick<KitPlace, "keys" | "redis">;
