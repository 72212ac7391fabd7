/** What a consumer tells: logs, metrics and tests live on it. */
import type { Disposition } from "./disposition.ts";
import type { Entry } from "./entry.ts";

export interface ConsumerEvents {
  started: [];
  /** The group exists (it was made now: `created`). */
  group: [{ created: boolean }];
  /** The group was there and is gone; it is created again at 0, and decided entries are delivered again. */
  groupLost: [];
  handled: [{ entry: Entry; disposition: Disposition; tookMs: number }];
  reclaimed: [{ count: number }];
  deadLettered: [{ entry: Entry; reason: string }];
  /** Deleted from the stream while pending: nothing is left to handle. */
  deleted: [{ ids: readonly string[] }];
  /** Something failed and is tried again. */
  failed: [{ doing: string; error: Error }];
}
