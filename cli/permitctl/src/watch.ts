/** `watch`: the `[PERMIT_WAIT]` lines, live from the streams. */
import { waitLine } from "@quantum/contract";
import { disconnect } from "@quantum/redis";
import { styled } from "@quantum/service-kit";
import { type Entry, parseEntries } from "@quantum/streams";
import type { Session } from "./session.ts";
import { waitData, waitOf } from "./waits.ts";

export interface WatchOptions {
  symbol?: string;
  only?: "ok" | "block";
  reason?: string;
}

const BLOCK_MS = 5_000;

/** Until `stop` is aborted. What was appended before is not shown. */
export async function watch(session: Session, options: WatchOptions, stop: AbortSignal): Promise<void> {
  const { keys, terminal } = session;
  for await (const [stream, entry] of tail(session, [keys.streams.execute, keys.streams.result], stop)) {
    const outcome = waitOf(stream, entry, keys);
    if (outcome === undefined || !isWanted(outcome, options)) continue;
    const line = styled(outcome.kind === "ok" ? "green" : "yellow", waitLine(outcome));
    terminal.print(waitData(outcome), [line]);
  }
}

async function* tail(
  { redis, connectForBlocking }: Session,
  streams: readonly string[],
  stop: AbortSignal,
): AsyncGenerator<[stream: string, entry: Entry]> {
  const last = new Map<string, string>();
  for (const stream of streams) {
    // Not `$`: what comes between two reads would be lost.
    const [newest] = await redis.xrevrange(stream, "+", "-", "COUNT", 1);
    last.set(stream, newest?.[0] ?? "0-0");
  }
  const reader = connectForBlocking();
  const close = () => void disconnect(reader);
  stop.addEventListener("abort", close, { once: true });
  try {
    while (!stop.aborted) {
      const reply = await reader.xread("BLOCK", BLOCK_MS, "STREAMS", ...last.keys(), ...last.values());
      for (const [stream, raw] of reply ?? []) {
        for (const entry of parseEntries(raw)) {
          last.set(stream, entry.id);
          yield [stream, entry];
        }
      }
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  } finally {
    close();
  }
}

function isWanted(
  outcome: NonNullable<ReturnType<typeof waitOf>>,
  { symbol, only, reason }: WatchOptions,
): boolean {
  if (symbol !== undefined && outcome.symbol !== symbol) return false;
  if (only !== undefined && (outcome.kind === "ok") !== (only === "ok")) return false;
  return (
    reason === undefined || (outcome.kind === "blocked" && [outcome.reason, outcome.detail].includes(reason))
  );
}
