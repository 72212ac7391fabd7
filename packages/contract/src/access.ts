/**
 * Which Redis user may do what to which key: one user per service, and those of operators. `ops/redis/users.acl` is
 * written from this table, the harness uses it, and services compare their user's rights with it (docs/adr/0020).
 *
 * If a key or stream is missing here, the type check fails.
 */
import { SERVICES, type Service, type StreamName, userOf } from "@quantum/topology";
import { createIntakeKeys, createKeys, type Keys, signsOfUse, typesOfKeys } from "./keys.ts";
import { commandLine, commandsOf, type Right, RIGHT_NAMES } from "./rights.ts";

/** Users that are not services. */
const OPERATORS = ["operator", "viewer", "exporter", "halt", "admin"] as const;

/** Services with a user of their own. Who watches works under operators' ones, and gets no right by its row. */
const PROGRAMS = SERVICES.filter(({ redis, watches }) => redis !== "none" && watches !== true);

export const REDIS_USERS: readonly string[] = [...PROGRAMS.map(userOf), ...OPERATORS];

/** A user by name, or a group of users. */
type Who =
  | "apply-layer"
  | "governor"
  | "p33"
  | "executor"
  | "feed"
  | "operator"
  | "halt"
  /** Every service on Redis, including the feed. */
  | "services"
  /** Services with a consumer group. */
  | "consumers"
  /** Services that answer plans. */
  | "issuers"
  /** The issuer named in the key. */
  | "owner"
  /** Services that call the exchange. */
  | "traders";

type Grants = Readonly<Partial<Record<Who, Right | readonly Right[]>>>;

/** Write access includes read access and deletion. Groups consume the streams listed in the table of services. */
const STREAMS: Readonly<Record<StreamName, Grants>> = {
  proposal: { feed: "append", operator: "requeue" },
  plan: { "apply-layer": ["append", "read"], operator: ["append", "requeue"] },
  permit: { issuers: "append", operator: "requeue" },
  // This entry is the order. Its only other author is the operators' exit.
  execute: { "apply-layer": ["append", "read"], operator: ["append", "requeue"] },
  result: { "apply-layer": "append", executor: ["append", "read"], feed: "read", operator: "requeue" },
  governorEvents: { governor: "append", p33: "append" },
  deadLetter: { consumers: "append", operator: "drop" },
  operatorAudit: { operator: ["append", "requeue"] },
};

/** With several partitions, the streams that the intake has of its own. */
const INTAKE: Readonly<Partial<Record<StreamName, Grants>>> = {
  deadLetter: { "apply-layer": ["append", "look"], operator: "drop" },
  operatorAudit: { operator: ["append", "requeue"] },
};

/** What plans touch most comes first: Redis tries a user's patterns in this order. */
const KEYS: Readonly<Record<Exclude<keyof Keys, "streams" | "jobs" | "all">, Grants>> = {
  reservations: { owner: "write" },
  snapshot: { p33: "write", issuers: "read", feed: "read" },
  ledger: { p33: "write" },
  unknown: { executor: "write", p33: "read" },
  booked: { owner: "write" },
  block: { owner: "write", "apply-layer": ["read", "remove"] },
  // The operators' reset deletes `quantum:apply:*`.
  plan: {
    "apply-layer": "write",
    issuers: ["read", "stamp"],
    executor: ["read", "stamp"],
    // A plan of the operators' own begins with its record.
    operator: "write",
  },
  permit: { owner: "write", "apply-layer": ["read", "remove"] },
  killSwitch: { services: "read", operator: "write", halt: "halt" },
  killSwitchSeen: { services: "read", "apply-layer": "write" },
  // P3.3 may be told to disarm when the exchange closes positions by itself.
  disarm: { services: "read", governor: "write", p33: "write", operator: "remove" },
  disarmOf: { services: "read", governor: "write", p33: "write", operator: "remove" },
  // An operator states the outcome of an order in doubt; the executor settles it. P3.3 sees whose order it was.
  order: { executor: "write", "apply-layer": "read", p33: "read", operator: "stamp" },
  waiting: { "apply-layer": "write", operator: "remove" },
  dedupe: { "apply-layer": "write", operator: "remove" },
  waitingSymbols: { "apply-layer": "write", issuers: "read", operator: "remove" },
  spent: { "apply-layer": "write", issuers: "read", executor: "read", operator: "write" },
  published: { "apply-layer": "write", operator: "remove" },
  unsettled: { executor: "write", issuers: "read" },
  proposal: { feed: "write", "apply-layer": "read", issuers: "read" },
  handedOver: { "apply-layer": "write", executor: "write", issuers: "read", operator: "write" },
  absent: { executor: "write" },
  absentClaims: { executor: "write" },
  orderSymbols: { executor: "write", issuers: "read" },
  orderEpoch: { executor: "write" },
  orderOwner: { executor: "write" },
  exchangePause: { traders: "write", operator: "write" },
  refreshTurn: { p33: "write" },
  exchangeBudget: { traders: "write" },
  closeWanted: { p33: "write" },
  exit: { executor: "write" },
  governorLimits: { governor: "write" },
  booker: { p33: "write" },
  // Who halts must know how many kill switches there are.
  partitions: { services: "found", halt: "read" },
  probe: { services: "append" },
};

/** A key or stream of the table, with the patterns that match it. */
export interface Family {
  readonly name: string;
  /** ACL globs in a layout (the wire's by default), for the keys of `issuer` or, without one, of any issuer. */
  readonly patterns: (issuer?: string, keys?: Keys) => readonly string[];
}

/** Matches only a plan id, so that no other family with the same prefix matches. */
const PLAN = "[0-9a-f]".repeat(16);
const ANY = "*";
const WIRE = createKeys();
/** In it a glob stands for the partition: a pattern for each would make every check of rights that much slower. */
const PARTITIONED = createKeys({ partition: ANY });

function otherThan(keys: Keys): Keys {
  return keys.probe === WIRE.probe ? createKeys({ partition: 0 }) : WIRE;
}

/** The layout in which users get their rights. */
function layoutOf(partitions: number): Keys {
  return partitions === 1 ? WIRE : PARTITIONED;
}

/** Globs replace plan ids and symbols; fixed names stay as they are. */
function patternsOf(name: keyof typeof KEYS, issuer: string, keys: Keys): readonly string[] {
  switch (name) {
    case "killSwitch":
      // Operators and other systems set the wire's, whatever the layout.
      return [...new Set([keys.killSwitch, WIRE.killSwitch])];
    case "killSwitchSeen":
      // In the wire's layout it is the kill switch, which no service writes.
      return keys.killSwitchSeen === keys.killSwitch ? [] : [keys.killSwitchSeen];
    case "permit":
    case "block":
    case "booked":
      // The governor's permits have no issuer in their name. For any issuer, both forms are needed.
      return issuer === ANY && name === "permit"
        ? [keys.permit("governor", PLAN), keys.permit(ANY, PLAN)]
        : [keys[name](issuer, PLAN)];
    case "reservations":
      return Object.values(keys.reservations(issuer, ANY));
    case "spent":
    case "order":
      return [keys[name](PLAN)];
    case "exchangePause":
      return [keys.exchangePause("requests"), keys.exchangePause("orders")];
    case "exchangeBudget":
      return (["weight_1m", "orders_1m", "orders_10s"] as const).map((kind) =>
        keys.exchangeBudget(kind, ANY),
      );
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
  ...Object.entries(KEYS).map(([name, grants]) => ({
    family: {
      name,
      patterns: (issuer = ANY, keys = WIRE) => patternsOf(name as keyof typeof KEYS, issuer, keys),
    },
    grants,
  })),
  ...Object.entries(STREAMS).map(([stream, grants]) => ({
    family: {
      name: `stream ${stream}`,
      patterns: (_issuer?: string, keys: Keys = WIRE) => [keys.streams[stream as StreamName]],
    },
    grants,
    stream: stream as StreamName,
  })),
  {
    // Whether somebody has worked in another layout is asked at each start.
    family: {
      name: "streams of the other layout",
      patterns: (_issuer, keys = WIRE) => signsOfUse(otherThan(keys)),
    },
    grants: { services: "look" },
  },
];

export const FAMILIES: readonly Family[] = TABLE.map(({ family }) => family);

export type Access = ReadonlyMap<Right, readonly string[]>;

/** The patterns for each of a user's rights. Throws if the user does not exist. */
export function accessOf(user: string, partitions = 1): Access {
  const keys = layoutOf(partitions);
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
    grant("look", [keys.streams.proposal, ...typesOfKeys(keys).map(([key]) => key), keys.partitions]);
  for (const [stream, grants] of Object.entries(partitions === 1 ? {} : INTAKE)) {
    for (const [who, given] of Object.entries(grants))
      if (who === user) {
        const pattern = createIntakeKeys(partitions).streams[stream as StreamName];
        for (const right of [given].flat()) grant(right, [pattern]);
      }
  }
  for (const { family, grants, stream } of TABLE) {
    if (service !== undefined && stream !== undefined && service.reads.includes(stream)) {
      grant("read", family.patterns(undefined, keys));
      grant("consume", family.patterns(undefined, keys));
    }
    for (const [who, given] of Object.entries(grants) as [Who, Right | readonly Right[]][]) {
      if (who !== user && !isOne(who, service)) continue;
      const patterns = family.patterns(who === "owner" ? user : undefined, keys);
      for (const right of typeof given === "string" ? [given] : given) {
        grant(right, patterns);
        // One DEL may take keys of both rights, and one selector must allow all of a command's keys.
        for (const implied of right === "write" ? (["read", "remove"] as const) : [])
          grant(implied, patterns);
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

/**
 * The commands that a service's user must be allowed to run, on an example key per pattern. None if it is not one of
 * our services with a user of its own.
 */
export function neededCommands(service: string, partitions = 1): string[][] {
  const row = PROGRAMS.find(({ name }) => name === service);
  if (row === undefined) return [];
  return [...accessOf(userOf(row), partitions)].flatMap(([right, patterns]) =>
    commandsOf(right).flatMap((command) =>
      patterns.map((pattern) => commandLine(right, command, exampleOf(pattern))),
    ),
  );
}

/** A key that matches the pattern. */
export function exampleOf(pattern: string): string {
  return pattern.replaceAll("[0-9a-f]", "0").replaceAll("*", "X");
}
