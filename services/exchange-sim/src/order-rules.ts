/** Whether an order is one that the venue takes, before it looks at the account. */
import { Big } from "big.js";
import type { Side } from "@quantum/exchange";
import { decimalsOf, marketLotOf, type SymbolSpec } from "./market.ts";
import type { Query } from "./queries.ts";
import { ALGO_TYPES } from "./records.ts";
import { missing, VenueError } from "./venue-error.ts";

export interface CheckedOrder {
  readonly side: Side;
  readonly quantity: Big;
  readonly reduceOnly: boolean;
  /** Undefined: the venue makes one. */
  readonly clientOrderId: string | undefined;
}

const CLIENT_ORDER_ID = /^[.A-Z:/a-z0-9_-]{1,36}$/;

/**
 * Checks a MARKET order's parameters in the order in which Binance does.
 *
 * @throws VenueError for the first rule that it breaks
 */
export function checkedOrder(query: Query, spec: SymbolSpec): CheckedOrder {
  const { side, type, quantity, positionSide, newClientOrderId } = query;
  const reduceOnly = query["reduceOnly"] === "true";
  if (side === undefined) throw missing("side");
  if (side !== "BUY" && side !== "SELL") throw new VenueError(-1117, "Invalid side.");
  if (type === undefined) throw missing("type");
  if (isAlgoType(type)) {
    throw new VenueError(
      -4120,
      "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    );
  }
  if (type !== "MARKET") throw new VenueError(-1116, "Invalid orderType.");
  if (positionSide !== undefined && positionSide !== "BOTH") {
    throw new VenueError(-4061, "Order's position side does not match user's setting.");
  }
  if (quantity === undefined || !/^-?\d+(\.\d+)?$/.test(quantity)) throw missing("quantity");
  checkStatus(spec, reduceOnly);
  const amount = Big(quantity);
  checkQuantity(amount, spec);
  if (newClientOrderId !== undefined && !CLIENT_ORDER_ID.test(newClientOrderId)) {
    throw new VenueError(-4015, "Client order id is not valid.");
  }
  return { side, quantity: amount, reduceOnly, clientOrderId: newClientOrderId };
}

function isAlgoType(type: string): boolean {
  return ALGO_TYPES.some((algoType) => algoType === type);
}

function checkQuantity(amount: Big, spec: SymbolSpec): void {
  const { stepSize, minQty, maxQty } = marketLotOf(spec);
  if (amount.lte(0)) throw new VenueError(-4003, "Quantity less than or equal to zero.");
  if (decimalsOf(amount.toFixed()) > decimalsOf(stepSize)) {
    throw new VenueError(-1111, "Precision is over the maximum defined for this asset.");
  }
  if (amount.lt(minQty)) throw new VenueError(-4004, "Quantity less than min quantity.");
  if (amount.gt(maxQty)) throw new VenueError(-4005, "Quantity greater than max quantity.");
  if (!amount.mod(stepSize).eq(0)) throw new VenueError(-4023, "Qty not increased by step size.");
}

/** The venue does not document which code goes with which status: this is how the codes' texts read. */
function checkStatus({ status = "TRADING" }: SymbolSpec, reduceOnly: boolean): void {
  switch (status) {
    case "TRADING":
      return;
    case "PRE_SETTLE":
    case "PRE_DELIVERING":
      if (!reduceOnly) throw new VenueError(-4140, "Invalid symbol status for opening position.");
      return;
    case "CLOSE":
      throw new VenueError(-4141, "Symbol is closed.");
    default:
      throw new VenueError(
        -4108,
        "Symbol is on delivering or delivered or settling or closed or pre-trading.",
      );
  }
}
