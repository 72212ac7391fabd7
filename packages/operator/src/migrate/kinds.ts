/** What each key of a layout belongs to, and so where it goes when the number of partitions changes. Pure. */
import { createKeys, type Keys, locate } from "@quantum/contract";

export type Kind =
  /** All of the key goes where its symbol, or its plan's symbol, belongs. */
  | { kind: "symbol"; symbol: string }
  /** `guards`: without it an order could be placed or charged twice. */
  | { kind: "plan"; planId: string; guards: boolean }
  /** A set of symbols, or the claims of absent orders by plan: each member goes where it belongs. */
  | { kind: "symbols" }
  | { kind: "claims" }
  | { kind: "stream"; name: keyof Keys["streams"] }
  /** Every partition has it: halts and the epoch. */
  | { kind: "each" }
  /** Of the exchange's account. */
  | { kind: "account" }
  /** It is written again at a service's start, or means nothing while none runs. */
  | { kind: "lapsed" }
  /** It expires within minutes, and means nothing without a waiting plan. */
  | { kind: "passing" };

const WIRE = createKeys();
const ID = "[0-9a-f]{16}";
const WORD = "[^:]+";

/** By the wire's name. Builders with a placeholder become patterns, whose only group is the symbol or the plan's id. */
const PATTERNS: readonly [pattern: RegExp, kind: (part: string) => Kind][] = [
  ...[WIRE.plan, WIRE.dedupe, WIRE.published].map((key) => byPlan(key, false)),
  ...[WIRE.spent, WIRE.order].map((key) => byPlan(key, true)),
  byPlan((id) => WIRE.booked("WORD", id), true),
  ...[
    WIRE.waiting,
    WIRE.unsettled,
    WIRE.unknown,
    WIRE.absent,
    WIRE.snapshot,
    WIRE.ledger,
    WIRE.closeWanted,
  ].map(bySymbol),
  ...Object.keys(WIRE.reservations("WORD", "")).map((name) =>
    bySymbol((symbol) => WIRE.reservations("WORD", symbol)[name as keyof ReturnType<Keys["reservations"]>]),
  ),
  [patternOf(WIRE.permit("governor", "PART"), ID), () => ({ kind: "passing" })],
  [patternOf(WIRE.permit("p33", "PART").replace(":p33:", ":WORD:"), ID), () => ({ kind: "passing" })],
  [patternOf(WIRE.block("WORD", "PART"), ID), () => ({ kind: "passing" })],
  [patternOf(WIRE.disarmOf("PART"), String.raw`\d{4}-\d\d-\d\d`), () => ({ kind: "each" })],
  [patternOf(WIRE.exchangePause("PART" as "orders"), "[a-z]+"), () => ({ kind: "account" })],
  [patternOf(WIRE.exchangeBudget("WORD" as "orders_10s", "PART"), ".+"), () => ({ kind: "account" })],
];

const FIXED = new Map<string, Kind>([
  ...[WIRE.waitingSymbols, WIRE.orderSymbols].map((key): [string, Kind] => [key, { kind: "symbols" }]),
  [WIRE.absentClaims, { kind: "claims" }],
  ...[WIRE.killSwitch, WIRE.disarm, WIRE.orderEpoch].map((key): [string, Kind] => [key, { kind: "each" }]),
  ...[WIRE.governorLimits, WIRE.exit, WIRE.refreshTurn].map((key): [string, Kind] => [
    key,
    { kind: "account" },
  ]),
  ...[WIRE.orderOwner, WIRE.booker, WIRE.handedOver].map((key): [string, Kind] => [key, { kind: "lapsed" }]),
  [locate(createKeys({ partition: 0 }).killSwitchSeen).wireName, { kind: "lapsed" }],
  ...Object.entries(WIRE.streams)
    // Publishers know no partitions.
    .filter(([name]) => name !== "proposal")
    .map(([name, key]): [string, Kind] => [key, { kind: "stream", name: name as keyof Keys["streams"] }]),
]);

function byPlan(key: (id: string) => string, guards: boolean): (typeof PATTERNS)[number] {
  return [patternOf(key("PART"), ID), (planId) => ({ kind: "plan", planId, guards })];
}

function bySymbol(key: (symbol: string) => string): (typeof PATTERNS)[number] {
  return [patternOf(key("PART"), ".+"), (symbol) => ({ kind: "symbol", symbol })];
}

function patternOf(example: string, part: string): RegExp {
  return new RegExp(
    `^${example
      .replaceAll(".", String.raw`\.`)
      .replace("WORD", WORD)
      .replace("PART", `(${part})`)}$`,
  );
}

/** @returns undefined for a key that is none of a layout's, such as a publisher's */
export function kindOf(wireName: string): Kind | undefined {
  const fixed = FIXED.get(wireName);
  if (fixed !== undefined) return fixed;
  for (const [pattern, kind] of PATTERNS) {
    const match = pattern.exec(wireName);
    if (match !== null) return kind(match[1] ?? "");
  }
  return undefined;
}
