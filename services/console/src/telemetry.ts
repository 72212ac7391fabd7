/** The console's logs and metrics, from its events. */
import type { Logger } from "@quantum/service-kit";
import { Counter, Gauge, type Registry } from "prom-client";
import type { ConsoleEvents } from "./events.ts";
import type { EventStreams } from "./event-streams.ts";

export interface TelemetryOptions {
  events: ConsoleEvents;
  streams: Pick<EventStreams, "count">;
  registry: Registry;
  log: Logger;
}

export function observe({ events, streams, registry, log }: TelemetryOptions): void {
  const registers = [registry];
  const counter = (name: string, help: string, ...labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers });
  new Gauge({
    name: "quantum_console_streams",
    help: "Open event streams of browsers",
    registers,
    collect() {
      this.set(streams.count);
    },
  });
  const dropped = counter(
    "quantum_console_streams_dropped_total",
    "Event streams that were closed because their browser read too slowly",
  );
  const requests = counter(
    "quantum_console_requests_total",
    "Requests of the page and its API, by class of their answer",
    "status",
  );
  const refused = counter(
    "quantum_console_refused_total",
    "Requests that a guard refused, by guard",
    "guard",
  );
  const logins = counter("quantum_console_logins_total", "Logins by password, by outcome", "outcome");
  const actions = counter(
    "quantum_console_actions_total",
    "Changes by operators, by action and outcome",
    "action",
    "outcome",
  );

  events.on("streamDropped", () => dropped.inc());
  events.on("answered", ({ status }) => requests.inc({ status: `${Math.floor(status / 100)}xx` }));
  events.on("refused", ({ guard, address, path, why }) => {
    refused.inc({ guard });
    // Nobody has logged in yet wherever a page is opened.
    if (guard !== "login") log.warn({ guard, address, path }, `request refused: ${why}`);
  });
  events.on("login", ({ outcome, user, address }) => {
    logins.inc({ outcome });
    if (outcome === "succeeded") log.info({ user, address }, `${user} has logged in`);
    else log.warn({ user, address, outcome }, "a login was refused");
  });
  events.on("action", ({ action, outcome, who, reason, told }) => {
    actions.inc({ action, outcome });
    const line = `${who}: ${action}: ${told}`;
    if (outcome === "failed") log.error({ action, who, reason, outcome }, line);
    else log.info({ action, who, reason, outcome }, line);
  });
  events.on("away", (error) =>
    log.error({ err: error }, "the pipeline cannot be read: what it said last is shown"),
  );
  events.on("back", () => log.info("the pipeline can be read again"));
  events.on("failed", ({ path, error }) => log.error({ err: error, path }, "a request failed"));
}
