export type { Origin, SimOrder, SimPosition, SimTrade } from "./account.ts";
export { FAULT_KINDS, type Fault } from "./faults.ts";
export { DEFAULT_MARKET, marketSchema, type SymbolSpec } from "./market.ts";
export { createExchangeSim, type ExchangeSim, type ExchangeSimOptions } from "./server.ts";
