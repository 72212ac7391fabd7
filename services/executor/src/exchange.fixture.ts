/** For tests: the market of the simulated exchange, and a user data stream that says what a test says. */
import { EventEmitter } from "node:events";
import type { AccountStreamEvents } from "@quantum/exchange";
import type { SymbolSpec } from "@quantum/exchange-sim";

const SYMBOLS = 60;
export const MARKET: SymbolSpec[] = Array.from({ length: SYMBOLS }, (_, i) => ({
  symbol: `T${i}USDT`,
  price: "2000.00",
  positionAmt: "1.000",
  entryPrice: "1900.00",
  stepSize: "0.001",
  minQty: "0.002",
  minNotional: "5",
  tickSize: "0.01",
  leverage: "5",
}));

/** A user data stream of which the test is the venue. */
export type ScriptedStream = ReturnType<typeof scriptedStream>;
export function scriptedStream(isUp: boolean) {
  const stream = Object.assign(new EventEmitter<AccountStreamEvents>(), {
    isUp,
    upSinceMs: isUp ? 0 : undefined,
    lastEventAtMs: undefined as number | undefined,
    distrusted: 0,
    distrust: () => void (stream.distrusted += 1),
  });
  return stream;
}
