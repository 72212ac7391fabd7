/** Writes `ops/redis/users.acl` from the table in access.ts. Source: Redis's ACL rules, 7.0 (selectors, `%R~`). */
import { accessOf, REDIS_USERS } from "./access.ts";
import { commandsOf, READS_ONLY } from "./rights.ts";

/**
 * Allowed on every connection. CONFIG GET and INFO show a service whether Redis may lose data; by CLUSTER SLOTS and NODES it
 * finds the master of a slot.
 */
const CONNECTION = [
  "ping",
  "time",
  "info",
  "hello",
  "select",
  "client|setname",
  "config|get",
  "cluster|slots",
  "cluster|nodes",
];
/** Redis checks each command of a script against the user, so running scripts gives no access to keys. */
const SCRIPTS = "(+eval +evalsha ~*)";
const EXTRA: Readonly<Record<string, readonly string[]>> = {
  executor: ["wait"],
  feed: ["multi", "exec", "discard"],
  operator: ["multi", "exec", "discard", "scan", "client|list", "slowlog|get", "latency|latest"],
  viewer: ["scan", "client|list", "slowlog|get", "latency|latest"],
  exporter: ["client|list", "slowlog|get", "slowlog|len", "latency|latest"],
};

/**
 * Nobody can log in as it, and it may do everything: Redis replays the transactions of its append-only file with its
 * rights, and drops those that it may not do. Source: https://github.com/redis/redis/pull/14545
 */
export const DEFAULT_USER_OFF = "user default off ~* &* +@all";

/** A placeholder for a password in the repository's file. Redis refuses to load it. */
function placeholderOf(user: string): string {
  return `#SHA256_OF_PASSWORD_OF_${user}`;
}

/**
 * @param passwordOf `>password`, `#sha256` or `nopass`
 * @param others whole lines, such as that of the default user
 * @param partitions as in PARTITIONS: with more than one, the rights are on tagged keys
 */
export function renderUsers(
  passwordOf: (user: string) => string = placeholderOf,
  others: readonly string[] = [DEFAULT_USER_OFF],
  partitions = 1,
): string {
  return [...others, ...REDIS_USERS.map((user) => userLine(user, passwordOf(user), partitions)), ""].join(
    "\n",
  );
}

/** The user of an issuer that has no row here: what P2.6 may do, on keys of its own. Parameters as for {@link renderUsers} */
export function issuerUserLine(issuer: string, password: string, partitions = 1): string {
  return userLine("p26", password, partitions).replaceAll("p26", issuer);
}

function userLine(user: string, password: string, partitions = 1): string {
  const begin = `user ${user} on ${password}`;
  if (user === "admin") return `${begin} ~* &* +@all`;
  if (user === "halt")
    return [begin, "-@all +ping +hello +cluster|slots +cluster|nodes", ...selectors(user, partitions)].join(
      " ",
    );
  const commands = [...CONNECTION, ...(EXTRA[user] ?? [])].map((command) => `+${command}`);
  const scripts = user === "viewer" || user === "exporter" ? [] : [SCRIPTS];
  return [begin, "-@all", ...commands, ...scripts, ...selectors(user, partitions)].join(" ");
}

/** One selector per right: its commands, only on its keys. */
function selectors(user: string, partitions: number): string[] {
  return [...accessOf(user, partitions)].map(([right, patterns]) => {
    const allowed = commandsOf(right).map((command) => `+${command}`);
    const on = patterns.map((pattern) => `${READS_ONLY.has(right) ? "%R~" : "~"}${pattern}`);
    return `(${[...allowed, ...on].join(" ")})`;
  });
}
