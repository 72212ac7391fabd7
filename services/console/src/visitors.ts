/** Who sends a request: a session's user, one whom a reverse proxy names, everybody of this machine, or nobody. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import type { ConsoleUser } from "@quantum/operator";
import type { Role } from "./api.ts";
import { Refusal } from "./refusal.ts";
import type { Sessions } from "./sessions.ts";
import { credentialOf, type Users } from "./users.ts";

export interface Visitor {
  /** Undefined: nobody has logged in. */
  readonly user: string | undefined;
  /** Undefined: nothing is shown. */
  readonly role: Role | undefined;
  /** What the header `X-CSRF-Token` of a change must be; undefined: there is none to be had. */
  readonly csrf: string | undefined;
  readonly byProxy: boolean;
  /** Of the session's cookie. */
  readonly token: string | undefined;
  /** Of the browser, as far as proxies can be believed. */
  readonly address: string;
}

export interface VisitorOptions {
  users: Users;
  sessions: Sessions;
  cookieName: string;
  proxies: readonly string[];
  userHeader: string | undefined;
  /** Whether only programs of this machine reach the console. */
  isLocal: boolean;
}

type Arrived = Pick<IncomingMessage, "headers" | "socket"> & {
  cookies: Readonly<Record<string, string | undefined>>;
};

export class Visitors {
  readonly #options: VisitorOptions;
  readonly #proxies = new BlockList();
  /** For the tokens of those who come by a proxy and so have no session. */
  readonly #secret = randomBytes(32);

  constructor(options: VisitorOptions) {
    this.#options = options;
    for (const proxy of options.proxies) this.#proxies.addAddress(proxy, familyOf(proxy));
  }

  /** @throws {@link Refusal} for a header that is not to be believed */
  of(request: Arrived): Visitor {
    const { users, sessions, cookieName, userHeader, isLocal } = this.#options;
    const { headers, socket, cookies } = request;
    const peer = plainAddress(socket.remoteAddress ?? "");
    const fromProxy = this.#isProxy(peer);
    const address = fromProxy ? this.#clientOf(headers["x-forwarded-for"], peer) : peer;
    const named = userHeader === undefined ? undefined : headers[userHeader];
    if (named !== undefined && !fromProxy)
      throw new Refusal(403, "proxy_header", `${peer} is none of CONSOLE_PROXIES: it may not name the user`);
    if (named !== undefined && named !== "") {
      const user = typeof named === "string" ? users.find(named) : undefined;
      if (user === undefined)
        throw new Refusal(
          403,
          "proxy_header",
          `the proxy names ${JSON.stringify(named)}, who is no user here: permitctl console user add NAME --role viewer --no-password`,
        );
      return { ...known(user), csrf: this.#csrfOf(user), byProxy: true, token: undefined, address };
    }
    const token = cookies[cookieName];
    const session = token === undefined ? undefined : sessions.find(token);
    const user = session && users.find(session.user);
    if (session !== undefined && token !== undefined) {
      if (user !== undefined && credentialOf(user) === session.credential)
        return { ...known(user), csrf: session.csrf, byProxy: false, token, address };
      // Removed, or with another password.
      sessions.end(token);
    }
    const role = users.none && isLocal ? "viewer" : undefined;
    return { user: undefined, role, csrf: undefined, byProxy: false, token: undefined, address };
  }

  /** Undefined: a header is not to be believed. */
  orNobody(request: Arrived): Visitor | undefined {
    try {
      return this.of(request);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }

  /** The last address that no proxy of ours added: what stands before it, the browser may have made up. */
  #clientOf(forwarded: string | string[] | undefined, peer: string): string {
    const hops = String(forwarded ?? "")
      .split(",")
      .map((hop) => plainAddress(hop.trim()))
      .filter((hop) => hop !== "");
    const last = hops.findLast((hop) => !this.#isProxy(hop));
    // With a port it would be another address in each request, and with any text as many as somebody likes.
    return last === undefined || isIP(last) === 0 ? peer : last;
  }

  #isProxy(address: string): boolean {
    return isIP(address) !== 0 && this.#proxies.check(address, familyOf(address));
  }

  #csrfOf({ name }: ConsoleUser): string {
    return createHmac("sha256", this.#secret).update(name).digest("base64url");
  }
}

/** Takes as long for every wrong token of this length. */
export function isToken(given: unknown, expected: string): boolean {
  if (typeof given !== "string") return false;
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function known({ name, role }: ConsoleUser): Pick<Visitor, "user" | "role"> {
  return { user: name, role };
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}

/** An IPv4 address, too, on a socket that speaks IPv6. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, "").toLowerCase();
}
