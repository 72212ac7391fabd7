export { FAULT_KINDS, type Fault } from "./faults.ts";
export { type LimitNumbers, VENUE_LIMITS } from "./limits.ts";
export { DEFAULT_MARKET, marketSchema, type SymbolSpec } from "./market.ts";
export type { Origin, SimAlgoOrder, SimOrder, SimPosition, SimTrade } from "./records.ts";
export { type StreamFault, streamFaultSchema } from "./stream-faults.ts";
export { createExchangeSim, type ExchangeSim, type ExchangeSimOptions } from "./server.ts";
