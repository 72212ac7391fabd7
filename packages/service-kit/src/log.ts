/** A service's logger. It also reports dropped lines. */
import { type Logger, type LoggerOptions, pino } from "pino";
import { Counter, type Registry } from "prom-client";
import { createLogOutput } from "./log-output.ts";
import { reportable } from "./reportable.ts";

export function createLog(options: LoggerOptions, registry: Registry): Logger {
  const dropped = countDropped(registry);
  const log: Logger = pino(
    { ...options, serializers: { err: reportable } },
    createLogOutput({
      dropped: () => dropped.inc(),
      resumed: (count) =>
        log.warn({ dropped: count }, `${count} log lines dropped: nobody read this output for a while`),
    }),
  );
  return log;
}

export function countDropped(registry: Registry): Counter {
  return new Counter({
    name: "quantum_log_lines_dropped_total",
    help: "Log lines dropped because stdout was blocked: its reader is stuck, or its disk is full",
    registers: [registry],
  });
}
