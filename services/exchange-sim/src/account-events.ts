import { EventEmitter } from "node:events";
import type { SimAlgoOrder, SimOrder, SimTrade } from "./records.ts";

/** What happens to the account, as it happens. The objects go on changing, so a listener reads them at once. */
export class AccountEvents extends EventEmitter<{
  /** Accepted (NEW), or closed with a part unfilled. */
  order: [order: SimOrder];
  algo: [order: SimAlgoOrder];
  /** The order and the account include the trade. */
  trade: [trade: SimTrade, order: SimOrder];
  /** The symbol's position changed without a trade. */
  moved: [symbol: string];
}> {}
