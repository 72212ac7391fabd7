import { runIssuer } from "@quantum/issuer";
import { serviceOf } from "@quantum/topology";
import { configSource, disarmOn, rulesOf } from "./config.ts";
import { Governor } from "./handler.ts";
import { observe } from "./telemetry.ts";

const service = serviceOf("governor");

await runIssuer({
  service,
  summary: "permits a plan within the limits of its symbol, and disarms everything when they are stormed",
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
