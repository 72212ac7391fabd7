/** `exchange`: what the pipeline knows of the exchange; `exchange check`: what the exchange says of itself and the account. */
import {
  checkVenue,
  duration,
  type ExchangePause,
  type LimitUse,
  readExchange,
  type StreamState,
} from "@quantum/operator";
import { type Line, spans, styled } from "@quantum/service-kit";
import { type CheckOptions, environmentOf, printChecks } from "./checks.ts";
import type { Host } from "./host.ts";
import type { Session } from "./session.ts";
import { table } from "./terminal.ts";

const PERCENT = 100;

export async function showExchange({ access, terminal }: Session): Promise<void> {
  const { nowMs, pauses, limits, streams } = await readExchange(access);
  terminal.print(
    {
      at_ms: nowMs,
      pauses: pauses.map(({ scope, leftMs, reason }) => ({
        scope,
        left_ms: leftMs,
        ends_ms: nowMs + leftMs,
        reason,
      })),
      limits: limits.map(({ kind, whose, used, limit, leftMs }) => ({
        kind,
        whose,
        used,
        limit,
        left_ms: leftMs,
      })),
      streams: streams.map(({ instance, isUp, pongAgeMs, eventAgeMs }) => ({
        instance,
        up: isUp,
        pong_age_ms: finiteOrNull(pongAgeMs),
        event_age_ms: finiteOrNull(eventAgeMs),
      })),
    },
    [
      new Date(nowMs).toISOString(),
      ...pauseLines(pauses, nowMs),
      "",
      styled("bold", "limits of the exchange"),
      ...limitTable(limits),
      "",
      styled("bold", "account events (services on this host)"),
      ...streamTable(streams),
    ],
  );
}

function pauseLines(pauses: readonly ExchangePause[], nowMs: number): Line[] {
  if (pauses.length === 0) return [spans`pauses        ${styled("green", "none")}`];
  return pauses.map(({ scope, leftMs, reason }) => {
    const end = new Date(nowMs + leftMs).toISOString();
    return spans`pauses        ${styled("red", `no ${scope} until ${end} (${duration(leftMs)}): ${reason}`)}`;
  });
}

function limitTable(limits: readonly LimitUse[]): string[] {
  if (limits.length === 0) return ["  not known: no service has read them"];
  return table([
    ["limit", "of", "used", "limit", "share", "counts from 0 in"],
    ...limits.map(({ kind, whose, used, limit, leftMs }) => [
      kind,
      whose,
      String(used),
      String(limit),
      `${Math.round((used / limit) * PERCENT)} %`,
      duration(leftMs),
    ]),
  ]);
}

function streamTable(streams: readonly StreamState[]): string[] {
  if (streams.length === 0) return ["  none: no service here follows the account's events"];
  return table([
    ["instance", "stream", "last answer", "last event"],
    ...streams.map(({ instance, isUp, pongAgeMs, eventAgeMs }) => [
      instance,
      isUp ? "up" : "DOWN",
      agoText(pongAgeMs),
      agoText(eventAgeMs),
    ]),
  ]);
}

function agoText(ageMs: number): string {
  return Number.isFinite(ageMs) ? `${duration(ageMs)} ago` : "never";
}

/** JSON has no infinity. */
function finiteOrNull(ms: number): number | null {
  return Number.isFinite(ms) ? Math.round(ms) : null;
}

/** @returns whether every check passes */
export async function checkExchange(
  { access, terminal }: Session,
  options: CheckOptions,
  env: Host["env"],
): Promise<boolean> {
  return printChecks(terminal, await checkVenue(access, await environmentOf(options, env)));
}
