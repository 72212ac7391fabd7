import { runIssuer } from "@quantum/issuer";
import { serviceOf } from "@quantum/topology";
import { allowlistOf, configSource, rulesOf } from "./config.ts";
import { PortfolioGate } from "./handler.ts";
import { PortfolioReader } from "./reader.ts";
import { observe } from "./telemetry.ts";

const service = serviceOf("portfolio-gate");

await runIssuer({
  service,
  summary: "P2.6: caps closes while the portfolio is calm, and after an execution",
  ...configSource,
  start: ({ config, partitions, openHashes, registry, log }) => {
    const issuer = service.issuer.name;
    const symbols = allowlistOf(config);
    const reader = new PortfolioReader({
      partitions,
      proposals: partitions.all.length === 1 ? undefined : openHashes(),
      issuer,
      symbols,
      sigmaRef: config.P26_SIGMA_REF,
      cooldownSec: config.P26_COOLDOWN_SEC,
    });
    const gate = new PortfolioGate(reader, rulesOf(config));
    return {
      policy: gate,
      lifetimes: { permitSec: config.P26_PERMIT_TTL, denialSec: config.P26_PERMIT_TTL },
      // Its books count executions.
      reservations: "limits",
      symbols,
      observe: (handlers) => observe({ handlers, gate, reader, symbols, issuer, registry, log }),
    };
  },
});
