import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, it, vi } from "vitest";
import { createAccountStream } from "./account-stream.ts";
import { POLL, QUICK } from "./account-stream.fixture.ts";
import { parseVenue } from "./venue.ts";

/** In which a busy machine runs the server's thread, too. */
const SILENCE_MS = 1_000;

it("a stall of this process is no silence of the venue", async () => {
  const server = new Worker(new URL("answering-server.fixture.ts", import.meta.url));
  const [port] = (await once(server, "message")) as [number];
  const stream = createAccountStream({
    venue: parseVenue(`http://127.0.0.1:${port}`),
    exchange: { listenKey: async () => "lk-1", extendListenKey: async () => true },
    timing: { ...QUICK, silenceMs: SILENCE_MS },
  });
  const down = vi.fn<() => void>();
  stream.on("down", down);
  const stalled = Promise.withResolvers<boolean>();
  stream.once("alive", () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * SILENCE_MS);
    stalled.resolve(stream.isUp);
  });
  try {
    stream.start();
    // In the handler of an answer: timers come before the sockets are read again.
    const wasUp = await stalled.promise;
    // Until a ping is answered again, nobody knows what has happened meanwhile.
    expect(wasUp).toBe(false);
    await vi.waitFor(() => expect(stream.isUp).toBe(true), POLL);
    expect(down).not.toHaveBeenCalled();
  } finally {
    await stream.stop();
    await server.terminate();
  }
});
