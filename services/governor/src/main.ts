import { runIssuer } from "@quantum/issuer";
import { serviceOf } from "@quantum/topology";
import { configSource, disarmOn, rulesOf } from "./config.ts";
import { Governor } from "./handler.ts";
import { tellLimits } from "./limits.ts";
import { observe } from "./telemetry.ts";

const service = serviceOf("governor");

await runIssuer({
  service,
  summary: "grants plans within the limits of their symbols, and disarms the pipeline if they are exceeded",
  ...configSource,
  start: ({ config, partitions, registry, log }) => {
    const rules = rulesOf(config);
    const governor = new Governor({ partitions, rules, disarmOn: disarmOn(config) });
    const { keys, redis } = partitions.account;
    const limits = tellLimits({ redis, keys, rules, log });
    const issuer = service.issuer.name;
    const symbols = config.SYMBOLS;
    return {
      policy: governor,
      reservations: "limits",
      symbols,
      begin: limits.begin,
      stop: limits.stop,
      observe: (handlers) =>
        observe({ handlers, governor, rules, symbols, issuer, partitions, registry, log }),
    };
  },
});
