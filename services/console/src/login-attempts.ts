/**
 * How often passwords may be tried: five times, and then with pauses that double. Counted by user and by address, because
 * guesses may come for one user from many addresses, and for many users from one.
 *
 * A stranger elsewhere must not be able to lock an operator out: from an address where this user has logged in before, only attempts for
 * him from there count. One who guesses for others may have the same address: that of a container's host, a tunnel or an
 * office.
 */
const FREE_ATTEMPTS = 5;
const FIRST_PAUSE_MS = 10_000;
/** For a user: strangers may keep him waiting for this long at most. */
const USER_PAUSE_MAX_MS = 60_000;
const ADDRESS_PAUSE_MAX_MS = 900_000;
/** After so long without an attempt all is forgotten. */
const FORGOTTEN_MS = 3_600_000;
/** Entries of each count; one more forgets the oldest. */
const COUNTED_MAX = 10_000;

interface Count {
  attempts: number;
  /** No attempt before. */
  freeAtMs: number;
  lastAtMs: number;
}

export class LoginAttempts {
  readonly #now: () => number;
  readonly #counts = new Map<string, Count>();
  /** `user address` of logins. */
  readonly #known = new Set<string>();

  /** @param now a monotonic clock, in ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Counts an attempt before its password is compared, so that many at once are no way around.
   * @returns for how long there may be none, in ms: then it was not counted; 0: go on
   */
  begin(user: string, address: string): number {
    const keys = this.#keysOf(user, address);
    const now = this.#now();
    const waitMs = Math.max(...keys.map(([key]) => (this.#countOf(key, now)?.freeAtMs ?? now) - now));
    if (waitMs > 0) return waitMs;
    for (const [key, pauseMaxMs] of keys) {
      const attempts = (this.#countOf(key, now)?.attempts ?? 0) + 1;
      const doublings = attempts - FREE_ATTEMPTS;
      const pauseMs = doublings < 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** doublings, pauseMaxMs);
      remember(this.#counts, key, { attempts, freeAtMs: now + pauseMs, lastAtMs: now });
    }
    return 0;
  }

  /** What was tried for this user is forgotten. Of the address only this attempt is: it may guess for others meanwhile. */
  succeeded(user: string, address: string): void {
    const network = networkOf(address);
    const known = knownKey(user, network);
    for (const [key] of this.#keysOf(user, address)) {
      const count = this.#counts.get(key);
      if (key !== addressKey(network) || count === undefined) this.#counts.delete(key);
      else this.#counts.set(key, { ...count, attempts: count.attempts - 1, freeAtMs: 0 });
    }
    this.#known.delete(known);
    this.#known.add(known);
    if (this.#known.size > COUNTED_MAX) this.#known.delete([...this.#known.keys()][0] ?? "");
  }

  #keysOf(user: string, address: string): [key: string, pauseMaxMs: number][] {
    const network = networkOf(address);
    const known = knownKey(user, network);
    if (this.#known.has(known)) return [[known, USER_PAUSE_MAX_MS]];
    return [
      [`user ${user}`, USER_PAUSE_MAX_MS],
      [addressKey(network), ADDRESS_PAUSE_MAX_MS],
    ];
  }

  #countOf(key: string, now: number): Count | undefined {
    const count = this.#counts.get(key);
    return count !== undefined && now - count.lastAtMs < FORGOTTEN_MS ? count : undefined;
  }
}

function addressKey(network: string): string {
  return `address ${network}`;
}

function knownKey(user: string, network: string): string {
  return `known ${network} ${user}`;
}

function remember(counts: Map<string, Count>, key: string, count: Count): void {
  counts.delete(key);
  counts.set(key, count);
  const [oldest] = counts.keys();
  if (counts.size > COUNTED_MAX && oldest !== undefined) counts.delete(oldest);
}

const IPV6_GROUPS = 8;
const NETWORK_GROUPS = 4;

/** An IPv6 address counts as its /64, which one customer has for himself. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros =
    tail === undefined
      ? []
      : Array.from({ length: Math.max(0, IPV6_GROUPS - left.length - right.length) }, () => "0");
  const groups = [...left, ...zeros, ...right].slice(0, NETWORK_GROUPS);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/64`;
}
