/** The page, its API and what guards them, on the routes of a service's HTTP server. */
import fastifyCookie from "@fastify/cookie";
import type { FastifyError, FastifyInstance } from "fastify";
import { addActions, type ActionOptions } from "./actions.ts";
import type { Refused } from "./api.ts";
import type { ConsoleEvents } from "./events.ts";
import { guard, type GuardOptions } from "./guard.ts";
import { addLogin, type LoginOptions } from "./login.ts";
import { contentSecurityPolicy, servePage } from "./page.ts";
import { Refusal } from "./refusal.ts";
import { addRoutes, type RouteOptions } from "./routes.ts";

export interface ServerOptions
  extends LoginOptions, ActionOptions, RouteOptions, Omit<GuardOptions, "contentSecurityPolicy"> {}

const BAD_REQUEST = 400;
const FAILED = 500;

export async function addConsole(http: FastifyInstance, options: ServerOptions): Promise<void> {
  const { events } = options;
  // A form of another site can send text, and no JSON.
  http.removeContentTypeParser("text/plain");
  http.setErrorHandler((error: FastifyError, request, reply) => {
    const refusal = refusalOf(error);
    if (refusal === undefined) events.emit("failed", { path: pathOf(request.url), error });
    else if (refusal.guard !== undefined) tellRefused(events, refusal, request.url, request.ip);
    const {
      status = FAILED,
      message = "the console failed to answer: its log says why",
      retryAfterSec,
    } = refusal ?? {};
    if (retryAfterSec !== undefined) reply.header("retry-after", String(retryAfterSec));
    return reply.code(status).send({ error: message } satisfies Refused);
  });
  http.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: `there is nothing at ${pathOf(request.url)}` } satisfies Refused),
  );
  http.addHook("onResponse", async (_, { statusCode }) => {
    events.emit("answered", { status: statusCode });
  });
  // Its hook is the first: the guard needs the cookies.
  await http.register(fastifyCookie);
  guard(http, { ...options, contentSecurityPolicy: await contentSecurityPolicy() });
  await servePage(http);
  addLogin(http, options);
  addRoutes(http, options);
  addActions(http, options);
}

function refusalOf(error: FastifyError | Refusal): Refusal | undefined {
  if (error instanceof Refusal) return error;
  const { statusCode = FAILED, message } = error;
  // Fastify's own: a body that is no JSON, or too large.
  return statusCode >= BAD_REQUEST && statusCode < FAILED
    ? new Refusal(statusCode, undefined, message)
    : undefined;
}

function tellRefused(events: ConsoleEvents, { guard, message }: Refusal, url: string, address: string): void {
  if (guard !== undefined) events.emit("refused", { guard, address, path: pathOf(url), why: message });
}

function pathOf(url: string): string {
  return url.split("?")[0] ?? "";
}
