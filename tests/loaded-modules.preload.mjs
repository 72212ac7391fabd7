/**
 * Loaded before a program: names each of OpenTelemetry's modules on stderr as it is loaded, but those of its API, which
 * prom-client loads by itself.
 */
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    if (/@opentelemetry\/(?!api\/)/.test(resolved.url)) process.stderr.write(`loaded ${resolved.url}\n`);
    return resolved;
  },
});
