import type { Origin } from "./records.ts";

/** Ids above 2^53 for this symbol, as on the real venue. Parsing them as doubles gets them wrong. */
const LONG_ID_SYMBOL = "ETHUSDT";
const LONG_ID_START = 8_389_765_519_826_112_345n;
const ORDER_ID_START = 11_934_538_190n;
const TRADE_ID_START = 286_440_117n;
/** Other accounts' orders take ids too, so ids have gaps. */
const ID_GAP_MAX = 7;

/** The ids of one symbol's orders and trades, each ascending. */
export class Ids {
  #orderId: bigint;
  #tradeId = TRADE_ID_START;
  readonly #random: () => number;

  constructor(symbol: string, random: () => number) {
    this.#orderId = symbol === LONG_ID_SYMBOL ? LONG_ID_START : ORDER_ID_START;
    this.#random = random;
  }

  nextOrderId(): string {
    this.#orderId += this.#gap();
    return this.#orderId.toString();
  }

  nextTradeId(): string {
    this.#tradeId += this.#gap();
    return this.#tradeId.toString();
  }

  /** The last ids that an earlier process gave, if it gave any. */
  goOnAfter(orderId: string | undefined, tradeId: string | undefined): void {
    if (orderId !== undefined) this.#orderId = BigInt(orderId);
    if (tradeId !== undefined) this.#tradeId = BigInt(tradeId);
  }

  #gap(): bigint {
    return BigInt(1 + Math.floor(this.#random() * ID_GAP_MAX));
  }
}

/** What an order is called whose sender did not name it. The venue names its own; all those of an ADL have the same name. */
export function clientOrderIdOf(origin: Origin, orderId: string, nowMs: number): string {
  switch (origin) {
    case "liquidation":
      return `autoclose-${nowMs}`;
    case "adl":
      return "adl_autoclose";
    case "settlement":
      return `settlement_autoclose-${nowMs}`;
    case "api":
      return `web_${orderId}`;
    default:
      return `${origin}-${orderId}`;
  }
}
