/** The generated documents by name, each with what renders it. */
import { join } from "node:path";
import { renderConfiguration } from "./configuration.ts";
import { renderExchangeErrors } from "./exchange-errors.ts";
import { renderMetrics } from "./metrics.ts";
import { renderReasons } from "./reasons.ts";
import { renderWire } from "./wire.ts";

export const DOCUMENTS: Readonly<Record<string, () => string>> = {
  configuration: renderConfiguration,
  reasons: renderReasons,
  metrics: renderMetrics,
  wire: renderWire,
  "exchange-errors": renderExchangeErrors,
};

export function fileOf(name: string): string {
  return join(import.meta.dirname, "..", `${name}.md`);
}
