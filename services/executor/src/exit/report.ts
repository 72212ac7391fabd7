/** What an exit of the whole account would do now, as a drill reports it. Pure. */
import { EXIT_KEYS_WANTED, type ExitReport, type ReportedPosition } from "@quantum/contract";
import { isDust, type Position, refusesAll, type Rows, type SymbolRules } from "@quantum/exchange";
import { Big } from "big.js";
import { closingSide, exitSteps } from "./exit-order.ts";
import type { RestingOrders } from "./resting.ts";

/** What a drill has read. */
export interface Found {
  /** Undefined if the venue did not say. */
  positions: Rows<Position> | undefined;
  resting: Pick<RestingOrders, "orders" | "isComplete"> & {
    unreadable: Readonly<RestingOrders["unreadable"]>;
  };
  /** Undefined for a symbol that the venue does not list. */
  rulesOf: (symbol: string) => SymbolRules | undefined;
  keys: number;
  /** What else is in the way, one sentence each. */
  problems: readonly string[];
}

export function reportOf({ positions, resting, rulesOf, keys, problems }: Found, atMs: number): ExitReport {
  const hindrances = [...problems];
  if (keys < EXIT_KEYS_WANTED)
    hindrances.push(
      keys === 1
        ? "only one operator's key is enrolled: without its owner nobody can exit"
        : `${keys} operators' keys are enrolled`,
    );
  const { rows, unreadable: odd } = positions ?? { rows: [], unreadable: [] };
  const held = rows
    .filter(({ positionAmt }) => !Big(positionAmt).eq(0))
    .map((position) => reported(position, rulesOf(position.symbol), hindrances));
  const unreadable = odd.map(({ symbol = "", problem }): ReportedPosition => {
    hindrances.push(`the position of ${symbol || "some symbol"} cannot be read: ${problem}`);
    return { symbol, amt: "", side: "", steps: [], dust: "", unreadable: true };
  });
  const cancels = resting.orders.map(({ symbol, id, kind, side, type, quantity, opens }) => ({
    symbol,
    id,
    kind,
    side,
    type,
    qty: quantity,
    reduces: !opens,
  }));
  for (const { symbol, kind } of resting.unreadable)
    cancels.push({ symbol, id: "", kind, side: "", type: "", qty: "", reduces: false });
  const complete = positions !== undefined && resting.isComplete;
  return { at_ms: atMs, complete, positions: [...held, ...unreadable], cancels, hindrances };
}

function reported(
  { symbol, positionAmt }: Position,
  rules: SymbolRules | undefined,
  hindrances: string[],
): ReportedPosition {
  const position = { symbol, amt: positionAmt, side: closingSide(positionAmt), unreadable: false };
  if (rules === undefined) {
    hindrances.push(`${symbol}: the exchange does not list it, so no order can be made for ${positionAmt}`);
    return { ...position, steps: [], dust: "" };
  }
  if (refusesAll(rules))
    hindrances.push(`${symbol}: its status is ${rules.status}, in which the exchange accepts no orders`);
  const { steps, rest } = exitSteps(positionAmt, rules);
  if (isDust(rest, rules)) {
    hindrances.push(
      `${symbol}: ${rest} is less than the smallest order of ${rules.minQty}, and would be left`,
    );
    return { ...position, steps, dust: rest };
  }
  if (!Big(rest).eq(0)) hindrances.push(`${symbol}: more than ${steps.length} orders are needed`);
  return { ...position, steps, dust: "" };
}
