/**
 * HTTP of a service: /healthz, /readyz and /metrics from its first moment on, its own routes once it has started.
 *
 * Whoever can reach the port must not be able to stop the service by asking: answers that are dear are made once for
 * everybody who asks meanwhile, and connections and the answers that they have not read yet are bounded.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { escapeControls } from "@quantum/contract";
import fastify, { type FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import { build } from "./build.ts";

/** What is not ready, one sentence each; empty when all is well. */
export type Readiness = () => Promise<string[]>;

/** A rendering costs some milliseconds of the event loop; no scraper is faster than this. */
const RENDERED_EVERY_MS = 250;
/**
 * A few scrapers and operators. Beyond it, the connection that was used least recently makes room. All that are open may
 * be read in one turn of the event loop.
 */
const CONNECTIONS_MAX = 64;
/** Requests on one connection without a whole answer yet. No client of ours sends a second one before it has one. */
const UNANSWERED_MAX = 4;
/** What tells Node's parser that what follows is no HTTP. */
const UPGRADE = 2;
/** A connection on which nothing moves, such as one that does not read its answer. */
const SILENCE_MS = 60_000;
const HEADERS_MS = 10_000;
/** A client that sends on a connection while it is closed would not know what became of its request. */
const IDLE_MS = 72_000;

const OWN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

export interface Http {
  /** Takes the service's own routes until `open`. */
  app: FastifyInstance;
  /** @returns the real URL, as a port of 0 takes a free one. */
  listen(host: string, port: number): Promise<string>;
  /** From now on the service's own routes answer. */
  open(): Promise<void>;
  close(): Promise<void>;
}

export function createHttp(registry: Registry, readiness: Readiness, connectionsMax = CONNECTIONS_MAX): Http {
  const base = fastify({ logger: false });
  const app = fastify({ logger: false });
  // Operators read answers in a terminal, and JSON escapes C0 controls only.
  for (const served of [base, app])
    served.setReplySerializer((payload) => escapeControls(JSON.stringify(payload)));
  const readyz = sharedAnswer(readiness, 0);
  // One buffer, however many connections it is written to.
  const metrics = sharedAnswer(async () => Buffer.from(await registry.metrics()), RENDERED_EVERY_MS);
  base.get("/healthz", async () => ({ status: "ok", ...build() }));
  base.get("/readyz", async (_, reply) => {
    const problems = await readyz();
    return reply
      .code(problems.length === 0 ? 200 : 503)
      .send({ status: problems.length === 0 ? "ready" : "not ready", problems });
  });
  base.get("/metrics", async (_, reply) => reply.type(registry.contentType).send(await metrics()));
  base.setNotFoundHandler((_, reply) => reply.code(503).send({ error: "the service is starting" }));

  let isOpen = false;
  const admit = createAdmission();
  const server = createServer(
    { headersTimeout: HEADERS_MS, keepAliveTimeout: IDLE_MS },
    (request, response) => {
      if (!admit(request, response)) return;
      const [path = ""] = (request.url ?? "").split("?");
      (isOpen && !OWN_PATHS.has(path) ? app : base).routing(request, response);
    },
  );
  server.setTimeout(SILENCE_MS);
  boundConnections(server, connectionsMax);
  return {
    app,
    async listen(host, port) {
      await base.ready();
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host, port }, () => {
          server.off("error", reject);
          resolve();
        });
      });
      const address = server.address();
      const bound = typeof address === "object" && address !== null ? address.port : port;
      return `http://${host.includes(":") ? `[${host}]` : host}:${bound}`;
    },
    async open() {
      await app.ready();
      isOpen = true;
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await Promise.all([closed, base.close(), app.close()]);
    },
  };
}

/**
 * One at a time, shared by who asks meanwhile, and begun no sooner than `pauseMs` after the last one's end: who asks in
 * between waits, so that nobody is shown what was true before.
 */
export function sharedAnswer<T>(make: () => Promise<T>, pauseMs: number): () => Promise<T> {
  let current: Promise<T> | undefined;
  let endedAt = Number.NEGATIVE_INFINITY;
  const answer = async () => {
    const waitMs = endedAt + pauseMs - performance.now();
    if (waitMs > 0) await delay(waitMs);
    try {
      return await make();
    } finally {
      endedAt = performance.now();
      current = undefined;
    }
  };
  return () => (current ??= answer());
}

/** @returns whether a request is to be answered; the first one too many on its connection ends it. */
function createAdmission(): (request: IncomingMessage, response: ServerResponse) => boolean {
  const unanswered = new WeakMap<Socket, number>();
  return ({ socket }, response) => {
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    // It never counts down again: the connection ends behind this answer, and what came after it is dropped.
    if (count > UNANSWERED_MAX) {
      if (count === UNANSWERED_MAX + 1) {
        response.writeHead(503, { connection: "close" }).end();
        stopReading(socket);
      }
      return false;
    }
    response.once("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    return true;
  };
}

/**
 * What a connection sends further is not read; what it has sent is not parsed, either: up to 64 kB are read at once, some
 * 2,000 requests, and all connections in one turn of the event loop.
 */
function stopReading(socket: Socket): void {
  socket.pause();
  // Node has no public way to stop its parser. It does so behind an upgrade. Without the property, only time is lost.
  const { parser } = socket as Socket & { parser?: { onIncoming?: () => number } };
  if (parser?.onIncoming !== undefined) parser.onIncoming = () => UPGRADE;
}

function boundConnections(server: ReturnType<typeof createServer>, max: number): void {
  /** The least recently used first. */
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    if (sockets.size > max) sockets.values().next().value?.destroy();
  });
  server.on("request", ({ socket }: IncomingMessage) => {
    if (sockets.delete(socket)) sockets.add(socket);
  });
}
