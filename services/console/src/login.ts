/** Who is there: `/api/me`, `/api/login`, `/api/logout`. */
import { isPassword, PASSWORD_MAX_CHARS } from "@quantum/operator";
import { buildText } from "@quantum/service-kit";
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import type { Me } from "./api.ts";
import type { ConsoleEvents, LoginOutcome } from "./events.ts";
import { inputOf } from "./input.ts";
import type { LoginAttempts } from "./login-attempts.ts";
import { Refusal } from "./refusal.ts";
import type { Sessions } from "./sessions.ts";
import { tooMany, turns } from "./turns.ts";
import { credentialOf, type Users } from "./users.ts";
import type { Visitor } from "./visitors.ts";

export interface LoginOptions {
  users: Users;
  sessions: Sessions;
  attempts: LoginAttempts;
  events: ConsoleEvents;
  cookieName: string;
  whyNoActions: (visitor: Visitor) => string;
}

/** Each takes 32 MiB and a thread for some hundred ms. */
const COMPARED = { atOnceMax: 1, waitingMax: 8 };

/** Before anybody has logged in. */
const BODY_MAX_BYTES = 8_192;
const NAME_MAX_CHARS = 64;
const login = z.strictObject({
  user: z.string().min(1).max(NAME_MAX_CHARS),
  password: z
    .string()
    .min(1)
    .max(2 * PASSWORD_MAX_CHARS),
});

const WRONG = "this user and password do not fit: nobody was logged in";
const NOBODY_YET =
  "there is no user yet: on the console's host, permitctl console user add NAME --role operator --file FILE makes one (FILE is its CONSOLE_USERS_FILE)";

/**
 * Cookies ignore ports, so the port is in the name: the one that browsers see, which a container or a proxy may have changed.
 * With `__Host-`, which browsers take over https alone, no other host of the domain can set it.
 */
export function cookieNameOf(origins: readonly string[]): string {
  const isSecure = origins.every((origin) => origin.startsWith("https:"));
  const ports = new Set(origins.map((origin) => new URL(origin).port));
  return [`${isSecure ? "__Host-" : ""}quantum_console`, ...ports].filter((part) => part !== "").join("_");
}

export function addLogin(http: FastifyInstance, options: LoginOptions): void {
  const { users, sessions, attempts, events, cookieName, whyNoActions } = options;
  const compare = turns(COMPARED, "too many log in at this moment");
  const meOf = (visitor: Visitor): Me => ({
    user: visitor.user,
    role: visitor.role,
    csrf: visitor.csrf,
    byProxy: visitor.byProxy,
    noActions: visitor.role === undefined && users.none ? NOBODY_YET : whyNoActions(visitor),
    build: buildText(),
  });

  http.get("/api/me", async ({ visitor }) => meOf(visitor));

  const route = { config: { startsSession: true }, bodyLimit: BODY_MAX_BYTES } as const;
  http.post("/api/login", route, async (request, reply) => {
    const { user: name, password } = inputOf(login, request.body);
    const { visitor } = request;
    const { address } = visitor;
    const tell = (outcome: LoginOutcome) =>
      // Whoever has typed the password in the wrong field should not find it in a log.
      events.emit("login", { outcome, user: users.find(name) === undefined ? "(unknown)" : name, address });
    const waitMs = attempts.begin(name, address);
    if (waitMs > 0) {
      tell("limited");
      throw tooMany("too many logins have failed", waitMs);
    }
    const before = users.find(name);
    const fits = await compare(() => isPassword(password, before?.password));
    const user = users.find(name);
    // Removed or changed meanwhile: its password is another one.
    if (!fits || before === undefined || user === undefined || credentialOf(user) !== credentialOf(before)) {
      tell("refused");
      throw new Refusal(401, undefined, users.none ? NOBODY_YET : WRONG);
    }
    attempts.succeeded(name, address);
    if (visitor.token !== undefined) sessions.end(visitor.token);
    const { token, session } = sessions.open(name, credentialOf(user));
    setCookie(reply, {
      name: cookieName,
      token,
      isSecure: request.headers.origin?.startsWith("https:") === true,
    });
    tell("succeeded");
    return meOf({ user: name, role: user.role, csrf: session.csrf, byProxy: false, token, address });
  });

  http.post("/api/logout", async (request, reply) => {
    const { visitor } = request;
    // The proxy names the user with each request.
    if (visitor.byProxy) return meOf(visitor);
    if (visitor.token !== undefined) sessions.end(visitor.token);
    reply.clearCookie(cookieName, { path: "/", secure: cookieName.startsWith("__Host-") });
    const role = users.none ? visitor.role : undefined;
    return meOf({ ...visitor, user: undefined, role, csrf: undefined, token: undefined });
  });
}

/** Without an end: the session has one. */
function setCookie(reply: FastifyReply, cookie: { name: string; token: string; isSecure: boolean }): void {
  reply.setCookie(cookie.name, cookie.token, {
    path: "/",
    httpOnly: true,
    sameSite: "strict",
    secure: cookie.isSecure,
  });
}
