import type { AccountStream } from "./account-stream-port.ts";

/** An event may be that much slower than the answer to a request. */
const EVENT_LATE_MS = 2_000;

/**
 * For whoever learns by a request of something that the stream tells of, too, and that happened after `sinceMs`
 * (performance.now()). The exchange can accept a connection, answer its pings, and tell nothing of the account, as with
 * a listen key that has expired. The stream connects again if not one event has come since then, or comes within 2 s.
 */
export function distrustIfDeaf(
  stream: Pick<AccountStream, "upSinceMs" | "lastEventAtMs" | "distrust">,
  sinceMs: number,
): void {
  setTimeout(() => {
    const { upSinceMs = Infinity, lastEventAtMs = -Infinity } = stream;
    // A connection made in between cannot have told it.
    if (upSinceMs < sinceMs && lastEventAtMs < sinceMs) stream.distrust();
  }, EVENT_LATE_MS).unref();
}
