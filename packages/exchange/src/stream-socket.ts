/**
 * One connection to the user data stream, from the handshake to its end. It pings by itself, because a socket can stay
 * open while nothing comes any more, and a quiet account looks the same.
 */
import { WebSocket } from "ws";
import type { DownReason } from "./account-stream-port.ts";

export interface SocketOptions {
  url: string;
  /** Never appears in a problem. */
  listenKey: string;
  pingEveryMs: number;
  /** The connection ends if neither a ping nor a later one is answered within this time. */
  silenceMs: number;
  onText: (text: string) => void;
  /** Our ping, sent at `sentAtMs`, was answered. */
  onAlive: (sentAtMs: number) => void;
}

export interface StreamEnd {
  readonly reason: DownReason;
  /** One phrase, without secrets. */
  readonly problem: string;
}

export interface StreamSocket {
  /** Ends the connection. Without effect once it has ended. */
  drop(end: StreamEnd): void;
  /** Once the socket is closed and no callback will be called any more. Never rejects. */
  readonly ended: Promise<StreamEnd>;
}

const HANDSHAKE_TIMEOUT_MS = 5_000;
/** How long the venue may take to end a connection after its close frame. The types do not know the option. */
const CLOSING = { closeTimeout: 1_000 };
/** An ACCOUNT_UPDATE that names every symbol of the venue has about a tenth of this. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** RFC 6455: the connection was lost without a close frame. */
const NO_CLOSE_FRAME = 1006;

export function openSocket(options: SocketOptions): StreamSocket {
  const { listenKey, pingEveryMs, silenceMs } = options;
  const socket = new WebSocket(options.url, {
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxPayload: MAX_MESSAGE_BYTES,
    // Events are small: compression would cost time and memory.
    perMessageDeflate: false,
    ...CLOSING,
  });
  const { promise: ended, resolve } = Promise.withResolvers<StreamEnd>();
  let end: StreamEnd | undefined;
  let isOpen = false;
  /** When the unanswered pings were sent, by their payload, oldest first. */
  const unanswered = new Map<string, number>();
  let pings = 0;
  let pinging: NodeJS.Timeout | undefined;
  let silence: NodeJS.Timeout | undefined;

  const drop = (why: StreamEnd) => {
    if (end !== undefined) return;
    end = why;
    clearInterval(pinging);
    clearTimeout(silence);
    socket.terminate();
  };
  const ping = () => {
    pings += 1;
    unanswered.set(String(pings), performance.now());
    // A failure also ends the socket, which reports it.
    socket.ping(String(pings), undefined, () => undefined);
  };
  const watchSilence = () => {
    if (end !== undefined) return;
    const [oldestMs = performance.now()] = unanswered.values();
    const leftMs = oldestMs + silenceMs - performance.now();
    if (leftMs <= 0) drop({ reason: "silent", problem: `no answer to our pings for ${silenceMs} ms` });
    // After a stall of this process an answer may wait to be read: setImmediate runs once the sockets have been read.
    else silence = setTimeout(() => setImmediate(watchSilence), Math.ceil(leftMs)).unref();
  };

  socket.on("open", () => {
    isOpen = true;
    ping();
    pinging = setInterval(ping, pingEveryMs).unref();
    watchSilence();
  });
  socket.on("pong", (payload) => {
    const sentAtMs = unanswered.get(payload.toString());
    if (sentAtMs === undefined || end !== undefined) return;
    for (const [sent, atMs] of unanswered) if (atMs <= sentAtMs) unanswered.delete(sent);
    options.onAlive(sentAtMs);
  });
  socket.on("message", (data) => {
    if (end === undefined) options.onText((data as Buffer).toString());
  });
  socket.on("error", (error) =>
    drop({ reason: isOpen ? "closed" : "refused", problem: problemOf(error, listenKey) }),
  );
  socket.on("close", (code) => {
    drop({
      reason: isOpen ? "closed" : "refused",
      problem:
        code === NO_CLOSE_FRAME
          ? "the connection was lost"
          : `the exchange closed the connection (code ${code})`,
    });
    resolve(end as StreamEnd);
  });
  return { drop, ended };
}

/** The URL contains the listen key, and no error is known to quote it. */
function problemOf(error: Error & { code?: string }, listenKey: string): string {
  return (error.code ?? error.message).replaceAll(listenKey, "(hidden)");
}
