/** Readiness as a metric, for the alert on stuck services. */
import { Gauge, type Registry } from "prom-client";
import type { Readiness } from "./http.ts";

export function observeReadiness(readiness: Readiness, registry: Registry): void {
  new Gauge({
    name: "quantum_ready",
    help: "1 if /readyz names no problem: the service makes progress, or has no work",
    registers: [registry],
    async collect() {
      this.set((await readiness()).length === 0 ? 1 : 0);
    },
  });
}
