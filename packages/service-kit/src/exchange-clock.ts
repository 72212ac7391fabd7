/** How far the exchange's clock is from this process's. Send windows follow the exchange's. */
import { Gauge, type Registry } from "prom-client";

const MS_PER_SECOND = 1_000;

interface Observed {
  /** The `Exchange` of packages/exchange: its estimate of the exchange's time, in ms. */
  exchange: { now: () => number };
  registry: Registry;
}

export function observeExchangeClock({ exchange, registry }: Observed): void {
  new Gauge({
    name: "quantum_exchange_clock_offset_seconds",
    help: "How far the exchange's clock, as last measured, is ahead of this process's",
    registers: [registry],
    collect() {
      this.set((exchange.now() - Date.now()) / MS_PER_SECOND);
    },
  });
}
