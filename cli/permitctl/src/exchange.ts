/** `exchange`: what the pipeline knows of the exchange; `exchange check`: what the exchange says of itself and the account. */
import {
  checkVenue,
  duration,
  type ExchangeClient,
  type ExchangePause,
  type LimitUse,
  readExchange,
} from "@quantum/operator";
import { type Line, spans, styled } from "@quantum/service-kit";
import { type CheckOptions, environmentOf, printChecks } from "./checks.ts";
import type { Host } from "./host.ts";
import type { Session } from "./session.ts";
import { table } from "./layout.ts";

const PERCENT = 100;

export async function showExchange({ access, terminal }: Session): Promise<void> {
  const { nowMs, pauses, limits, auditedAtMs, clients } = await readExchange(access);
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
      audited_at_ms: auditedAtMs ?? null,
      services: clients.map(({ instance, clockOffsetMs, stream }) => ({
        instance,
        clock_offset_ms: finiteOrNull(clockOffsetMs),
        stream:
          stream === undefined
            ? null
            : {
                up: stream.isUp,
                connected_ms: finiteOrNull(stream.connectedMs),
                pong_age_ms: finiteOrNull(stream.pongAgeMs),
                event_age_ms: finiteOrNull(stream.eventAgeMs),
              },
      })),
    },
    [
      new Date(nowMs).toISOString(),
      ...pauseLines(pauses, nowMs),
      `last audit    ${auditedAtMs === undefined ? "never" : `${duration(nowMs - auditedAtMs)} ago`}: all positions, read by requests`,
      "",
      styled("bold", "limits of the exchange"),
      ...limitTable(limits),
      "",
      styled("bold", "services on this host"),
      ...clientTable(clients),
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

function clientTable(clients: readonly ExchangeClient[]): string[] {
  if (clients.length === 0) return ["  none that calls the exchange"];
  return table([
    ["instance", "exchange's clock", "account events", "connected for", "last answer", "last event"],
    ...clients.map(({ instance, clockOffsetMs, stream }) => [
      instance,
      Number.isFinite(clockOffsetMs) ? offsetText(clockOffsetMs) : "?",
      ...(stream === undefined
        ? ["not followed"]
        : [
            stream.isUp ? "up" : "DOWN",
            duration(stream.connectedMs),
            agoText(stream.pongAgeMs),
            agoText(stream.eventAgeMs),
          ]),
    ]),
  ]);
}

function offsetText(offsetMs: number): string {
  return `${duration(Math.abs(offsetMs))} ${offsetMs < 0 ? "behind" : "ahead"}`;
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
