/** The events of a consumer. Logs, metrics and tests rely on them. */
import type { Disposition } from "./disposition.ts";
import type { Entry } from "./entry.ts";

export interface ConsumerEvents {
  started: [];
  /** The group exists; `created` if it was created just now. */
  group: [{ created: boolean }];
  /** The group was missing. It is created again at 0, so entries already decided are delivered again. */
  groupLost: [];
  handled: [{ entry: Entry; disposition: Disposition; tookMs: number }];
  reclaimed: [{ count: number }];
  deadLettered: [{ entry: Entry; reason: string }];
  /** The entries were deleted from the stream while pending, so they cannot be handled. */
  deleted: [{ ids: readonly string[] }];
  /** Something failed and will be retried. */
  failed: [{ doing: string; error: Error }];
}

/** Handlers may throw anything. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
