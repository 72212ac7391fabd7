/** What docs/wire.md says of a key. */
export interface KeyNote {
  key: string;
  type: "HASH" | "STRING" | "STRING JSON" | "ZSET" | "SET";
  /** Seconds, or a sentence. */
  ttlSec: number | string;
  /** When it is that long, or how long otherwise. */
  orElse?: string;
  by: string;
  holds: string;
}
