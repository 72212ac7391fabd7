/**
 * Splits a connection's bytes into requests and replies, with a one-line summary of each. Supports Redis's protocol
 * (RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/) and HTTP/1.1 with keep-alive, as far as our
 * clients use them: commands as arrays, replies in the order of their requests, no SUBSCRIBE or MONITOR, no trailers.
 * Once a connection has been upgraded to a WebSocket, each chunk is a frame of its own.
 */
import { createHash } from "node:crypto";

export interface Frame {
  bytes: Buffer;
  /** `EVALSHA orders/claim quantum:order:67e6…`, `POST /fapi/v1/order`. A reply has its request's summary. */
  summary: string;
}

/** Both directions of one connection. Incomplete frames are kept until the rest arrives. */
export interface Conversation {
  requests(chunk: Buffer): Frame[];
  replies(chunk: Buffer): Frame[];
}

/** @param scripts SHA-1 of a script's source → its name */
export function respConversation(scripts: ReadonlyMap<string, string>): Conversation {
  const asked: string[] = [];
  const requests = cutter(respEnd);
  const replies = cutter(respEnd);
  return {
    requests: (chunk) =>
      requests(chunk).map((bytes) => {
        const summary = commandSummary(bytes, scripts);
        asked.push(summary);
        return { bytes, summary };
      }),
    replies: (chunk) => replies(chunk).map((bytes) => ({ bytes, summary: asked.shift() ?? "" })),
  };
}

export function httpConversation(): Conversation {
  const asked: string[] = [];
  let isUpgraded = false;
  const requests = cutter(httpEnd);
  const replies = cutter((data, start) => {
    if (isUpgraded) return start < data.length ? data.length : undefined;
    isUpgraded = UPGRADED.test(data.toString("latin1", start, start + UPGRADED_LENGTH));
    return httpEnd(data, start);
  });
  return {
    requests: (chunk) => {
      if (isUpgraded) return [{ bytes: chunk, summary: WEBSOCKET }];
      return requests(chunk).map((bytes) => {
        // Without the query string, which contains the signature.
        const [method = "", target = ""] = firstLine(bytes).split(" ");
        const summary = `${method} ${target.split("?")[0]}`;
        asked.push(summary);
        return { bytes, summary };
      });
    },
    replies: (chunk) =>
      replies(chunk).map((bytes) => {
        const summary = asked.shift();
        return {
          bytes,
          summary: summary === undefined ? WEBSOCKET : `${firstLine(bytes).split(" ")[1]} ${summary}`,
        };
      }),
  };
}

const WEBSOCKET = "WebSocket";
const UPGRADED = /^HTTP\/1\.1 101$/;
const UPGRADED_LENGTH = "HTTP/1.1 101".length;

/** The end of the frame that begins at `start`; undefined if it is incomplete. */
type EndOf = (data: Buffer, start: number) => number | undefined;

function cutter(endOf: EndOf): (chunk: Buffer) => Buffer[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const frames: Buffer[] = [];
    let start = 0;
    for (let end = endOf(rest, start); end !== undefined; end = endOf(rest, start)) {
      frames.push(rest.subarray(start, end));
      start = end;
    }
    rest = rest.subarray(start);
    return frames;
  };
}

const CRLF = "\r\n";

function respEnd(data: Buffer, start: number): number | undefined {
  const line = data.indexOf(CRLF, start);
  if (line < 0) return undefined;
  const after = line + CRLF.length;
  const type = String.fromCharCode(data[start] ?? 0);
  if (type !== "$" && type !== "*") return after;
  const length = Number(data.toString("latin1", start + 1, line));
  // Null, written as $-1 or *-1.
  if (length < 0) return after;
  if (type === "$") {
    const end = after + length + CRLF.length;
    return end <= data.length ? end : undefined;
  }
  let end: number | undefined = after;
  for (let item = 0; item < length && end !== undefined; item += 1) end = respEnd(data, end);
  return end;
}

/** The command and its first key, with a script's name instead of its code. */
function commandSummary(frame: Buffer, scripts: ReadonlyMap<string, string>): string {
  const [name = "", first = "", second = "", third = ""] = commandWords(frame);
  const command = name.toUpperCase();
  if (command !== "EVALSHA" && command !== "EVAL") return `${command} ${first}`.trim();
  const sha = command === "EVAL" ? createHash("sha1").update(first).digest("hex") : first;
  return `${command} ${scripts.get(sha) ?? sha} ${second === "0" ? "" : third}`.trim();
}

/** EVALSHA <sha> <number of keys> <first key>; the rest is ignored. */
const WORDS = 4;

function commandWords(frame: Buffer): string[] {
  const words: string[] = [];
  let at = frame.indexOf(CRLF) + CRLF.length;
  while (at < frame.length && words.length < WORDS) {
    const line = frame.indexOf(CRLF, at);
    const length = Number(frame.toString("latin1", at + 1, line));
    const start = line + CRLF.length;
    words.push(frame.toString("utf8", start, start + length));
    at = start + length + CRLF.length;
  }
  return words;
}

function httpEnd(data: Buffer, start: number): number | undefined {
  const blank = data.indexOf(`${CRLF}${CRLF}`, start);
  if (blank < 0) return undefined;
  const head = data.toString("latin1", start, blank);
  const body = blank + 2 * CRLF.length;
  if (/^transfer-encoding:\s*chunked/im.test(head)) return chunkedEnd(data, body);
  const length = Number(/^content-length:\s*(\d+)/im.exec(head)?.[1] ?? 0);
  return body + length <= data.length ? body + length : undefined;
}

const HEX = 16;

function chunkedEnd(data: Buffer, start: number): number | undefined {
  for (let at = start; ;) {
    const line = data.indexOf(CRLF, at);
    if (line < 0) return undefined;
    const length = Number.parseInt(data.toString("latin1", at, line), HEX);
    at = line + CRLF.length + length + CRLF.length;
    if (at > data.length) return undefined;
    if (length === 0) return at;
  }
}

function firstLine(bytes: Buffer): string {
  return bytes.toString("latin1", 0, bytes.indexOf(CRLF));
}
