/**
 * Who has logged in by password. In memory: a restart ends every session. A session is found by a hash of its token, so
 * neither a dump of this map nor the time of a comparison gives a token away.
 */
import { createHash, randomBytes } from "node:crypto";

/** Whatever its user does, as long as a long working day. */
const LIFE_MS = 12 * 3_600_000;
/** Without a request and without an open event stream. */
const IDLE_MS = 3_600_000;
/** Browsers of one user; one more ends the session that has been idle the longest. */
const OF_USER_MAX = 20;
const TOKEN_BYTES = 32;

export interface Session {
  readonly user: string;
  /** For the header `X-CSRF-Token`: a page of another origin cannot read it. */
  readonly csrf: string;
  /** Of the user when the session began: with another one it ends. */
  readonly credential: string;
}

interface Kept extends Session {
  readonly endsAtMs: number;
  idleAtMs: number;
}

export class Sessions {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;

  /** @param now a monotonic clock, in ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** @returns the token for the cookie */
  open(user: string, credential: string): { token: string; session: Session } {
    const now = this.#now();
    this.#endWhere(({ endsAtMs, idleAtMs }) => now >= endsAtMs || now >= idleAtMs);
    const own = [...this.#kept].filter(([, session]) => session.user === user);
    const longestIdle = own.toSorted(([, a], [, b]) => a.idleAtMs - b.idleAtMs)[0];
    if (own.length >= OF_USER_MAX && longestIdle !== undefined) this.#kept.delete(longestIdle[0]);
    const token = secret();
    const session = { user, credential, csrf: secret(), endsAtMs: now + LIFE_MS, idleAtMs: now + IDLE_MS };
    this.#kept.set(keyOf(token), session);
    return { token, session };
  }

  /** Counts as use: who asks for it is there. */
  find(token: string): Session | undefined {
    const now = this.#now();
    const session = this.#kept.get(keyOf(token));
    if (session === undefined || now >= session.endsAtMs || now >= session.idleAtMs) {
      this.end(token);
      return undefined;
    }
    session.idleAtMs = now + IDLE_MS;
    return session;
  }

  end(token: string): void {
    this.#kept.delete(keyOf(token));
  }

  #endWhere(isOver: (session: Kept) => boolean): void {
    for (const [key, session] of this.#kept) if (isOver(session)) this.#kept.delete(key);
  }
}

function secret(): string {
  return randomBytes(TOKEN_BYTES).toString("base64url");
}

function keyOf(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}
