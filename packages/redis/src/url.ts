/**
 * Where Redis is, as one URL: a server, a master by the name that its Sentinels know, or a cluster.
 *
 *     redis://[user[:password]@]host[:port][/database]
 *     redis+sentinel://[user[:password]@]host[:port],…/name[/database][?sentinel_user=…&sentinel_password=…]
 *     redis+cluster://[user[:password]@]host[:port],…
 *
 * `rediss` means TLS. What is no part of the form is a violation: ioredis ignores a database that is no number and a
 * parameter that it does not know.
 */
import { isIPv6 } from "node:net";

export interface Address {
  /** An IPv6 address has no brackets here. */
  readonly host: string;
  readonly port: number;
}

interface Common {
  readonly tls: boolean;
  /** Undefined: the default user. */
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** The addresses of names: IPv4 or IPv6 alone. Undefined: either. */
  readonly family: 4 | 6 | undefined;
}

export interface ServerUrl extends Common {
  readonly kind: "server";
  readonly address: Address;
  readonly database: number;
}

export interface SentinelUrl extends Common {
  readonly kind: "sentinel";
  readonly sentinels: readonly Address[];
  /** By which the Sentinels know the master. */
  readonly name: string;
  readonly database: number;
  /** The Sentinels' own, which need not be the data's. */
  readonly sentinelUser: string | undefined;
  readonly sentinelPassword: string | undefined;
}

export interface ClusterUrl extends Common {
  readonly kind: "cluster";
  /** Some of its nodes: they know the others. */
  readonly nodes: readonly Address[];
}

export type RedisUrl = ServerUrl | SentinelUrl | ClusterUrl;

export class RedisUrlError extends Error {
  override readonly name = "RedisUrlError";
  /**
   * Each begins with the part that is wrong: scheme, user, password, host, port, name, database or query. None repeats
   * what is there: behind a character that is not percent-encoded, that may be half a password.
   */
  readonly violations: readonly string[];

  constructor(violations: readonly string[]) {
    super(violations.join("; "));
    this.violations = violations;
  }
}

const FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/;
const SERVER_PORT = 6379;
const SENTINEL_PORT = 26_379;
const PORT_MAX = 65_535;
const HOST = /^[\w.-]+$/;
/** What Sentinel allows. Source: `sentinel monitor` in its sentinel.conf. */
const NAME = /^[\w.-]+$/;
/** As long as any server's number of databases. */
const DATABASE = /^\d{1,4}$/;

/** @throws {@link RedisUrlError} with every violation */
export function parseRedisUrl(text: string): RedisUrl {
  const form = FORM.exec(text);
  if (text.includes("#")) throw new RedisUrlError(["fragment: a Redis URL has none"]);
  if (form === null) throw new RedisUrlError(["scheme: must be redis or rediss"]);
  const [, scheme, kind = "server", authority = "", path = "", query = ""] = form;
  const parts = new Parts();
  const at = authority.lastIndexOf("@");
  const defaultPort = kind === "sentinel" ? SENTINEL_PORT : SERVER_PORT;
  const addresses = parts.addresses(authority.slice(at + 1), defaultPort);
  const parameters = parts.parameters(
    query,
    kind === "sentinel" ? ["family", "sentinel_user", "sentinel_password"] : ["family"],
  );
  const common: Common = {
    tls: scheme === "rediss",
    ...parts.credentials(at === -1 ? undefined : authority.slice(0, at)),
    family: parts.family(parameters.get("family")),
  };

  let url: RedisUrl;
  if (kind === "sentinel") {
    const { name, database } = parts.nameAndDatabase(path);
    const sentinelUser = parameters.get("sentinel_user");
    const sentinelPassword = parameters.get("sentinel_password");
    url = { kind, ...common, sentinels: addresses, name, database, sentinelUser, sentinelPassword };
  } else if (kind === "cluster") {
    if (!/^\/?$/.test(path)) parts.violate("database", "a cluster has none");
    url = { kind, ...common, nodes: addresses };
  } else {
    if (addresses.length > 1) parts.violate("host", "several need redis+sentinel:// or redis+cluster://");
    const [address = { host: "", port: 0 }] = addresses;
    url = { kind: "server", ...common, address, database: parts.database(path.slice(1)) };
  }
  if (parts.violations.length > 0) throw new RedisUrlError(parts.violations);
  return url;
}

/** Text that {@link parseRedisUrl} reads as the same. */
export function writeRedisUrl(url: RedisUrl): string {
  const scheme = `${url.tls ? "rediss" : "redis"}${url.kind === "server" ? "" : `+${url.kind}`}`;
  const password = url.password === undefined ? "" : `:${encodeURIComponent(url.password)}`;
  const credentials =
    url.user === undefined && password === "" ? "" : `${encodeURIComponent(url.user ?? "")}${password}@`;
  const query = [
    ...parameter("family", url.family?.toString()),
    ...(url.kind === "sentinel"
      ? [
          ...parameter("sentinel_user", url.sentinelUser),
          ...parameter("sentinel_password", url.sentinelPassword),
        ]
      : []),
  ].join("&");
  const text = `${scheme}://${credentials}${addressesOf(url).map(writeAddress).join()}${pathOf(url)}`;
  return query === "" ? text : `${text}?${query}`;
}

/** For logs and people: each password is `***`. @throws {@link RedisUrlError} */
export function withoutPasswords(text: string): string {
  const url = parseRedisUrl(text);
  const hidden = { ...url, ...(url.password !== undefined && { password: "***" }) };
  if (hidden.kind !== "sentinel" || hidden.sentinelPassword === undefined) return writeRedisUrl(hidden);
  return writeRedisUrl({ ...hidden, sentinelPassword: "***" });
}

/** For logs and people who need to know the place alone. @throws {@link RedisUrlError} */
export function withoutCredentials(text: string): string {
  const nobody = { user: undefined, password: undefined };
  const url = { ...parseRedisUrl(text), ...nobody };
  if (url.kind !== "sentinel") return writeRedisUrl(url);
  return writeRedisUrl({ ...url, sentinelUser: undefined, sentinelPassword: undefined });
}

function addressesOf(url: RedisUrl): readonly Address[] {
  if (url.kind === "server") return [url.address];
  return url.kind === "sentinel" ? url.sentinels : url.nodes;
}

function pathOf(url: RedisUrl): string {
  if (url.kind === "cluster") return "";
  const database = url.database === 0 ? "" : `/${url.database}`;
  return url.kind === "sentinel" ? `/${url.name}${database}` : database;
}

export function writeAddress({ host, port }: Address): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function parameter(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`];
}

/** Reads the parts, and keeps what is wrong with them. */
class Parts {
  readonly violations: string[] = [];

  violate(part: string, what: string): void {
    this.violations.push(`${part}: ${what}`);
  }

  addresses(text: string, defaultPort: number): Address[] {
    const all = text.split(",");
    return all.map((address, index) => {
      const which = all.length === 1 ? "" : ` of address ${index + 1}`;
      const [, inBrackets, name, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(address) ?? [];
      const host = inBrackets ?? name ?? "";
      const isHost = inBrackets === undefined ? HOST.test(host) : isIPv6(host);
      if (!isHost) {
        const what = host === "" ? "is missing" : "is no name and no IP address (IPv6 in brackets)";
        this.violate(`host${which}`, what);
      }
      if (port !== undefined && !isPort(port))
        this.violate(`port${which}`, `must be a number from 1 to ${PORT_MAX}`);
      return { host, port: port === undefined ? defaultPort : Number(port) };
    });
  }

  credentials(text: string | undefined): Pick<Common, "user" | "password"> {
    if (text === undefined) return { user: undefined, password: undefined };
    const colon = text.indexOf(":");
    const user = this.#decode("user", colon === -1 ? text : text.slice(0, colon));
    return {
      user: user === "" ? undefined : user,
      password: colon === -1 ? undefined : this.#decode("password", text.slice(colon + 1)),
    };
  }

  nameAndDatabase(path: string): { name: string; database: number } {
    const [, name = "", database = "", ...more] = path.split("/");
    if (name === "") this.violate("name", "the master's name is missing: …/name or …/name/database");
    else if (!NAME.test(name)) this.violate("name", "may have letters, digits and . - _");
    return { name, database: this.database([database, ...more].join("/")) };
  }

  database(text: string): number {
    if (text === "") return 0;
    if (!DATABASE.test(text)) this.violate("database", "must be a number from 0 to 9999");
    return Number(text);
  }

  /** A `+` is itself here, as in every other part. */
  parameters(query: string, known: readonly string[]): Map<string, string> {
    const found = new Map<string, string>();
    for (const pair of query === "" ? [] : query.split("&")) {
      const [name = "", ...value] = pair.split("=");
      if (!known.includes(name)) this.violate("query", `may have ${known.join(", ")}`);
      else if (found.has(name)) this.violate("query", `${name} is there twice`);
      else found.set(name, this.#decode("query", value.join("=")));
    }
    return found;
  }

  family(text: string | undefined): 4 | 6 | undefined {
    if (text === "4" || text === "6") return text === "4" ? 4 : 6;
    if (text !== undefined) this.violate("query", "family must be 4 or 6");
    return undefined;
  }

  #decode(part: string, text: string): string {
    try {
      return decodeURIComponent(text);
    } catch {
      this.violate(part, "has a % that begins no percent-encoding");
      return "";
    }
  }
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= PORT_MAX;
}
