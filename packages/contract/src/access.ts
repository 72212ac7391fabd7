/**
 * Who may do what to which key: one Redis user a service, besides those of operators. `ops/redis/users.acl` is written from
 * this table, the harness uses it, and services compare it with what their user may do (docs/adr/0020).
 *
 * A key or stream that is missing here fails the type check.
 */
import { SERVICES, type Service, type StreamName, userOf } from "@quantum/topology";
import { createKeys, type Keys, typesOfKeys } from "./keys.ts";
import { type Right, RIGHT_NAMES } from "./rights.ts";

/** Users that are no services. */
const OPERATORS = ["operator", "viewer", "exporter", "halt", "admin"] as const;

const PROGRAMS = SERVICES.filter(({ redis }) => redis !== "none");

export const REDIS_USERS: readonly string[] = [...PROGRAMS.map(userOf), ...OPERATORS];

/** A user by its name, or users by what they are. */
type Who =
  | "apply-layer"
  | "governor"
  | "p33"
  | "executor"
  | "feed"
  | "operator"
  | "halt"
  /** Each service on Redis, the feed too. */
  | "services"
  /** What has a consumer group. */
  | "consumers"
  /** What answers plans. */
  | "issuers"
  /** The issuer that the key names. */
  | "owner"
  /** What speaks to the exchange. */
  | "traders";

type Grants = Readonly<Partial<Record<Who, Right | readonly Right[]>>>;

/** Whoever may write a key may also read it. Groups consume the streams that the table of services names. */
const STREAMS: Readonly<Record<StreamName, Grants>> = {
  proposal: { feed: "append", operator: "requeue" },
  plan: { "apply-layer": ["append", "read"], operator: "requeue" },
  permit: { issuers: "append", operator: "requeue" },
  // The entry is the order: its one other author is the operator's own exit.
  execute: { "apply-layer": ["append", "read"], operator: ["append", "requeue"] },
  result: { "apply-layer": "append", executor: ["append", "read"], feed: "read", operator: "requeue" },
  governorEvents: { governor: "append" },
  deadLetter: { consumers: "append", operator: "drop" },
  operatorAudit: { operator: ["append", "requeue"] },
};

const KEYS: Readonly<Record<Exclude<keyof Keys, "streams" | "jobs" | "all">, Grants>> = {
  proposal: { feed: "write", "apply-layer": "read", issuers: "read" },
  plan: { "apply-layer": "write", issuers: ["read", "stamp"], executor: ["read", "stamp"] },
  dedupe: { "apply-layer": "write", operator: "remove" },
  published: { "apply-layer": "write", operator: "remove" },
  waiting: { "apply-layer": "write" },
  waitingSymbols: { "apply-layer": "write", issuers: "read" },
  permit: { owner: "write", "apply-layer": ["read", "remove"] },
  block: { owner: "write", "apply-layer": ["read", "remove"] },
  spent: { "apply-layer": "write", issuers: "read", executor: "read" },
  booked: { owner: "write" },
  reservations: { owner: "write" },
  killSwitch: { services: "read", operator: "write", halt: "halt" },
  disarm: { services: "read", governor: "write", operator: "remove" },
  disarmOf: { services: "read", governor: "write", operator: "remove" },
  // An operator states what became of an order in doubt; the executor settles it.
  order: { executor: "write", "apply-layer": "read", operator: "stamp" },
  handedOver: { "apply-layer": "write", executor: "write", issuers: "read" },
  unsettled: { executor: "write", issuers: "read" },
  unknown: { executor: "write", p33: "read" },
  absent: { executor: "write" },
  absentClaims: { executor: "write" },
  orderSymbols: { executor: "write", issuers: "read" },
  orderEpoch: { executor: "write" },
  orderOwner: { executor: "write" },
  exchangePause: { traders: "write", operator: "write" },
  snapshot: { p33: "write", issuers: "read", feed: "read" },
  ledger: { p33: "write" },
  refreshTurn: { p33: "write" },
  probe: { services: "append" },
};

/** A key or stream of the table, as a user's own patterns name it. */
export interface Family {
  readonly name: string;
  /** Globs as ACLs know them, for `issuer`'s keys or, without one, for those of any. */
  readonly patterns: (issuer?: string) => readonly string[];
}

/** Exactly a plan id, so that no other family of the same prefix fits. */
const PLAN = "[0-9a-f]".repeat(16);
const ANY = "*";
const keys = createKeys();

/** What takes the place of plan ids and symbols is a glob; fixed names are what they are. */
function patternsOf(name: keyof typeof KEYS, issuer: string): readonly string[] {
  switch (name) {
    case "permit":
    case "block":
    case "booked":
      // The governor's permits have no issuer in their name; any issuer's fit one of both.
      return issuer === ANY && name === "permit"
        ? [keys.permit("governor", PLAN), keys.permit(ANY, PLAN)]
        : [keys[name](issuer, PLAN)];
    case "reservations":
      return Object.values(keys.reservations(issuer, ANY));
    case "plan":
    case "dedupe":
    case "published":
    case "spent":
    case "order":
      return [keys[name](PLAN)];
    case "exchangePause":
      return [keys.exchangePause("requests"), keys.exchangePause("orders")];
    default: {
      const key: string | ((part: string) => string) = keys[name];
      return [typeof key === "string" ? key : key(ANY)];
    }
  }
}

interface TableRow {
  readonly family: Family;
  readonly grants: Grants;
  readonly stream?: StreamName;
}

const TABLE: readonly TableRow[] = [
  ...Object.entries(STREAMS).map(([stream, grants]) => ({
    family: { name: `stream ${stream}`, patterns: () => [keys.streams[stream as StreamName]] },
    grants,
    stream: stream as StreamName,
  })),
  ...Object.entries(KEYS).map(([name, grants]) => ({
    family: { name, patterns: (issuer = ANY) => patternsOf(name as keyof typeof KEYS, issuer) },
    grants,
  })),
];

export const FAMILIES: readonly Family[] = TABLE.map(({ family }) => family);

export type Access = ReadonlyMap<Right, readonly string[]>;

/** The patterns on which a user has each right. Throws for a user that does not exist. */
export function accessOf(user: string): Access {
  if (!REDIS_USERS.includes(user)) throw new Error(`there is no Redis user ${user}`);
  if (user === "admin") return new Map();
  const access = new Map<Right, string[]>(RIGHT_NAMES.map((right) => [right, []]));
  const grant = (right: Right, patterns: readonly string[]) => {
    const known = access.get(right) ?? [];
    for (const pattern of patterns) if (!known.includes(pattern)) known.push(pattern);
  };
  const service = PROGRAMS.find((row) => userOf(row) === user);
  if (user === "operator" || user === "viewer") grant("read", [keys.all]);
  if (user === "exporter") grant("look", [keys.all]);
  if (service !== undefined)
    grant(
      "look",
      typesOfKeys(keys).map(([key]) => key),
    );
  for (const { family, grants, stream } of TABLE) {
    if (service !== undefined && stream !== undefined && service.reads.includes(stream)) {
      grant("read", family.patterns());
      grant("consume", family.patterns());
    }
    for (const [who, given] of Object.entries(grants) as [Who, Right | readonly Right[]][]) {
      if (who !== user && !isOne(who, service)) continue;
      const patterns = family.patterns(who === "owner" ? user : undefined);
      for (const right of typeof given === "string" ? [given] : given) {
        grant(right, patterns);
        if (right === "write") grant("read", patterns);
      }
    }
  }
  return new Map([...access].filter(([, patterns]) => patterns.length > 0));
}

function isOne(who: Who, service: Service | undefined): boolean {
  if (service === undefined) return false;
  switch (who) {
    case "services":
      return true;
    case "consumers":
      return service.group !== undefined;
    case "issuers":
    case "owner":
      return service.issuer !== undefined;
    case "traders":
      return service.needsVenue;
    default:
      return false;
  }
}

/** What a service's user must be able to do: its rights on an example of each pattern. Undefined: no service of ours. */
export function accessOfService(name: string): Access | undefined {
  const service = PROGRAMS.find((row) => row.name === name);
  if (service === undefined) return undefined;
  return new Map([...accessOf(userOf(service))].map(([right, patterns]) => [right, patterns.map(exampleOf)]));
}

/** A key that fits the pattern. */
export function exampleOf(pattern: string): string {
  return pattern.replaceAll("[0-9a-f]", "0").replaceAll("*", "X");
}
