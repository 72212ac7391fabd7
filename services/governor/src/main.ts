import { runIssuer } from "@quantum/issuer";
import { serviceOf } from "@quantum/topology";
import { configSource, disarmOn, rulesOf } from "./config.ts";
import { Governor } from "./handler.ts";
import { observe } from "./telemetry.ts";

const service = serviceOf("governor");

await runIssuer({
  service,
  summary: "grants plans within the limits of their symbols, and disarms the pipeline if they are exceeded",
  ...configSource,
  start: ({ config, keys, redis, registry, log }) => {
    const governor = new Governor({ redis, keys, rules: rulesOf(config), disarmOn: disarmOn(config) });
    const issuer = service.issuer.name;
    const symbols = config.SYMBOLS;
    return {
      policy: governor,
      reservations: "limits",
      symbols,
      observe: (handlers) => observe({ handlers, governor, symbols, issuer, redis, keys, registry, log }),
    };
  },
});
