/**
 * A service's HTTP server. /healthz, /readyz and /metrics answer from the beginning, the service's own routes once it
 * has started.
 *
 * A client must not be able to overload the service. Concurrent requests share one expensive answer, and connections
 * and unread answers are limited.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { escapeControls } from "@quantum/contract";
import fastify, { type FastifyInstance } from "fastify";
import type { Registry } from "prom-client";
import { build } from "./build.ts";

/** Lists what is not ready, one sentence each; empty if everything is ready. */
export type Readiness = () => Promise<string[]>;

/** Rendering blocks the event loop for some milliseconds. No scraper needs it more often. */
const RENDERED_EVERY_MS = 250;
/**
 * Enough for a few scrapers and operators. One more closes the least recently used connection. All open connections may
 * be read in one turn of the event loop.
 */
const CONNECTIONS_MAX = 64;
/** Unanswered requests on one connection. None of our clients sends a second request before it has the first answer. */
const UNANSWERED_MAX = 4;
/** Return value that tells Node's parser to stop: the rest is not HTTP. */
const UPGRADE = 2;
/** Closes a connection without activity, such as one whose client does not read its answer. */
const SILENCE_MS = 60_000;
const HEADERS_MS = 10_000;
/** Long: a client that sends a request while the server closes the connection cannot know what became of it. */
const IDLE_MS = 72_000;

/** Longer than any header that Node's parser takes: a router must not answer for the service. */
const PARAMETER_MAX_CHARS = 2 ** 16;

const OWN_PATHS: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/metrics"]);

export interface Http {
  /** Accepts the service's own routes until `open`. */
  app: FastifyInstance;
  /** @returns the actual URL; port 0 picks a free port. */
  listen(host: string, port: number): Promise<string>;
  /** From now on the service's own routes are served. */
  open(): Promise<void>;
  close(): Promise<void>;
}

export interface HttpOptions {
  /** The consumer's name: /healthz tells it, so that one who asks by an address knows who answers. */
  instance?: string;
  connectionsMax?: number | undefined;
  /** What /readyz says besides, if anything. */
  note?: () => string | undefined;
}

export function createHttp(
  registry: Registry,
  readiness: Readiness,
  { instance, connectionsMax = CONNECTIONS_MAX, note = () => undefined }: HttpOptions = {},
): Http {
  const settings = { logger: false, routerOptions: { maxParamLength: PARAMETER_MAX_CHARS } } as const;
  const base = fastify(settings);
  const app = fastify(settings);
  // Operators read answers in a terminal, and JSON only escapes C0 controls.
  for (const served of [base, app])
    served.setReplySerializer((payload) => escapeControls(JSON.stringify(payload)));
  const readyz = sharedAnswer(readiness, 0);
  // All connections share one buffer.
  const metrics = sharedAnswer(async () => Buffer.from(await registry.metrics()), RENDERED_EVERY_MS);
  base.get("/healthz", async () => ({ status: "ok", ...build(), instance }));
  base.get("/readyz", async (_, reply) => {
    const problems = await readyz();
    return reply
      .code(problems.length === 0 ? 200 : 503)
      .send({ status: problems.length === 0 ? "ready" : "not ready", problems, note: note() });
  });
  base.get("/metrics", async (_, reply) => reply.type(registry.contentType).send(await metrics()));
  base.setNotFoundHandler((_, reply) => reply.code(503).send({ error: "the service is starting" }));

  let isOpen = false;
  const admit = createAdmission();
  const server = createServer(
    { headersTimeout: HEADERS_MS, keepAliveTimeout: IDLE_MS },
    (request, response) => {
      if (!admit(request, response)) return;
      request.url = routable(request.url ?? "/");
      const [path = ""] = request.url.split("?");
      (isOpen && !OWN_PATHS.has(path) ? app : base).routing(request, response);
    },
  );
  server.setTimeout(SILENCE_MS);
  const exempt = boundConnections(server, connectionsMax);
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
      // Node answers an upgrade like any other request as long as nobody listens for it.
      if (app.server.listenerCount("upgrade") === 0) return;
      server.on("upgrade", (request, socket: Socket, head) => {
        exempt(socket);
        app.server.emit("upgrade", request, socket, head);
      });
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await Promise.all([closed, base.close(), app.close()]);
    },
  };
}

const ORIGIN = /^https?:\/\/[^/?#]*/i;

/**
 * Fastify itself answers a path that cannot be decoded, or that is none: past the service's hooks, so without its headers
 * and its guards. Here each is a path: the `%` of one that cannot be decoded stand for themselves.
 */
function routable(url: string): string {
  const target = url.replace(ORIGIN, "");
  const [path = "", ...query] = (target.startsWith("/") ? target : `/${target}`).split("?");
  return [isDecodable(path) ? path : path.replaceAll("%", "%25"), ...query].join("?");
}

function isDecodable(path: string): boolean {
  try {
    decodeURI(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs `make` once at a time and shares its result with all concurrent callers. A run starts at least `pauseMs` after
 * the last one ended. Callers in between wait for it, so none of them gets an outdated result.
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

/** @returns whether to handle the request. The first request over the limit ends its connection. */
function createAdmission(): (request: IncomingMessage, response: ServerResponse) => boolean {
  const unanswered = new WeakMap<Socket, number>();
  return ({ socket }, response) => {
    const count = (unanswered.get(socket) ?? 0) + 1;
    unanswered.set(socket, count);
    // This count never goes down again: the connection closes after this answer, and later requests on it are dropped.
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
 * Neither reads more from the connection nor parses what was already received: one read is up to 64 kB, about 2,000
 * requests, and all connections may be read in one turn of the event loop.
 */
function stopReading(socket: Socket): void {
  socket.pause();
  // Node has no public way to stop its parser, but it stops after an upgrade. If this property is missing, only time is
  // lost.
  const { parser } = socket as Socket & { parser?: { onIncoming?: () => number } };
  if (parser?.onIncoming !== undefined) parser.onIncoming = () => UPGRADE;
}

/** @returns what takes a connection out of the limit: an upgraded one makes no more requests. */
function boundConnections(server: ReturnType<typeof createServer>, max: number): (socket: Socket) => void {
  /** Least recently used first. */
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    if (sockets.size > max) sockets.values().next().value?.destroy();
  });
  server.on("request", ({ socket }: IncomingMessage) => {
    if (sockets.delete(socket)) sockets.add(socket);
  });
  return (socket) => void sockets.delete(socket);
}
