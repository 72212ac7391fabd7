/**
 * What every request must pass before it reaches a route. Cookies ignore ports, and Grafana sits beside the console: so what
 * shows that a change comes from our own page is its exact origin and a token, not the cookie.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { Refusal } from "./refusal.ts";
import { isToken, type Visitor, type Visitors } from "./visitors.ts";

declare module "fastify" {
  interface FastifyRequest {
    visitor: Visitor;
  }
  interface FastifyContextConfig {
    /** Who may: `anyone` without a login, `viewer`, or `operator`. Without it: `anyone`. */
    needs?: "anyone" | "viewer" | "operator";
    /** A change without a token: there is no session yet. */
    startsSession?: true;
  }
}

export interface GuardOptions {
  origins: readonly string[];
  visitors: Visitors;
  /** Why this visitor cannot change anything; "": he can. */
  whyNoActions: (visitor: Visitor) => string;
  /** Of the page: with the hashes of its inline scripts. */
  contentSecurityPolicy: string;
}

const SAFE_METHODS = new Set(["GET", "HEAD"]);
const API = "/api/";

export function guard(http: FastifyInstance, options: GuardOptions): void {
  const { origins, visitors, contentSecurityPolicy } = options;
  const byHost = new Map<string, Set<string>>();
  for (const origin of origins) {
    const { host } = new URL(origin);
    byHost.set(host, (byHost.get(host) ?? new Set()).add(origin));
  }
  const headers = {
    "content-security-policy": contentSecurityPolicy,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    // For browsers of before frame-ancestors.
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  };

  http.decorateRequest("visitor");
  http.addHook("onRequest", async (request, reply) => {
    // The route's path, not the request's: `/%61pi/now` is the same route.
    const isApi = (request.routeOptions.url ?? request.url).startsWith(API);
    reply.headers(headers);
    // The page is small and asks each time whether it is still current.
    reply.header("cache-control", isApi ? "no-store" : "no-cache");
    const ours = byHost.get((request.headers.host ?? "").toLowerCase());
    // Also against DNS rebinding: the name of another site that leads to this address.
    if (ours === undefined)
      throw new Refusal(
        421,
        "host",
        `the console is not at ${JSON.stringify(request.headers.host ?? "")}: it is at ${origins.join(", ")} (CONSOLE_ORIGINS)`,
      );
    const changes = !SAFE_METHODS.has(request.method);
    if (changes && !ours.has(request.headers.origin ?? ""))
      throw new Refusal(
        403,
        "origin",
        `a change may come from the console's own page alone: ${[...ours].join(", ")}`,
      );
    // As far as browsers say it: a page beside this one, on another port, is none of ours.
    const site = request.headers["sec-fetch-site"];
    if (isApi && site !== undefined && site !== "same-origin" && site !== "none")
      throw new Refusal(403, "fetch_site", "the console's API answers its own page alone");
    request.visitor = visitors.of({
      headers: request.headers,
      socket: request.raw.socket,
      cookies: request.cookies,
    });
    admit(request, changes, options);
  });
}

function admit(request: FastifyRequest, changes: boolean, { whyNoActions }: GuardOptions): void {
  const { visitor } = request;
  const { needs = "anyone", startsSession } = request.routeOptions.config;
  if (needs !== "anyone" && visitor.role === undefined)
    throw new Refusal(401, "login", "nobody has logged in, or the session is over: log in");
  if (needs === "operator") {
    const why = whyNoActions(visitor);
    if (why !== "") throw new Refusal(403, "role", why);
  }
  if (!changes || startsSession === true) return;
  if (visitor.csrf === undefined)
    throw new Refusal(401, "login", "nobody has logged in, or the session is over: log in");
  if (!isToken(request.headers["x-csrf-token"], visitor.csrf))
    throw new Refusal(403, "csrf", "the header X-CSRF-Token is not this session's: load the page again");
}
