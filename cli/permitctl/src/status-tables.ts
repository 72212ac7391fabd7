/** The tables of `status`: services, symbols with what of their limits is used, groups. What matters most comes first. */
import { duration, type Group, type Overview, type Service } from "@quantum/operator";
import { buildText } from "@quantum/service-kit";
import { Big } from "big.js";
import type { Rows } from "./layout.ts";

export function serviceRows(services: readonly Service[]): Rows {
  const urgency = (service: Service) => {
    const { alive, probe } = service;
    if (isMissing(service, services) || probe?.ready === false) return 0;
    if (!alive) return 3;
    return probe === undefined ? 1 : 2;
  };
  return [
    ["instance", "reads", "ready", "version"],
    ...services
      .toSorted((a, b) => urgency(a) - urgency(b))
      .map((service) => [
        service.instance,
        service.alive ? "yes" : "no: gone",
        isMissing(service, services) ? `no ${service.service} is running` : readyText(service),
        versionText(service),
      ]),
  ];
}

/** It is gone, and no other of its kind reads. */
function isMissing({ service, alive }: Service, services: readonly Service[]): boolean {
  return !alive && !services.some((other) => other.service === service && other.alive);
}

/** Undefined if one of them is not ready, or gone without another. */
export function quietServices(services: readonly Service[]): string | undefined {
  if (services.some((service) => isMissing(service, services) || service.probe?.ready === false))
    return undefined;
  const alive = services.filter((service) => service.alive);
  const asked = alive.filter(({ probe }) => probe !== undefined).length;
  const others = alive.length - asked;
  return `${asked} ready${others === 0 ? "" : `, ${others} not asked`}`;
}

function readyText({ alive, probe }: Service): string {
  if (probe === undefined) return alive ? "not asked" : "";
  return probe.ready ? ["yes", probe.note].filter(Boolean).join(", ") : probe.problems.join("; ");
}

function versionText({ alive, probe }: Service): string {
  if (probe?.build) return buildText(probe.build);
  if (!alive) return "";
  return probe === undefined ? "not asked" : "?";
}

export function symbolRows(symbols: Overview["symbols"]): Rows {
  return [
    ["symbol", "wait", "open", "5 min", "hour", "coins today", "USD today"],
    ...symbols.map(({ symbol, waiting, unsettled, limits, caps }) => [
      symbol,
      String(waiting),
      String(unsettled),
      used(String(limits.executions5min), caps.executions5min, short),
      used(String(limits.executionsHour), caps.executionsHour, short),
      used(promised(limits.chargedQty, limits.reservedQty, coins), caps.qtyDay, coins),
      used(promised(limits.chargedNotional, limits.reservedNotional, dollars), caps.notionalDay, dollars),
    ]),
  ];
}

/** `3/30`; without the limit where it is not known. */
function used(amount: string, limit: string, round: (amount: string) => string): string {
  return limit === "" ? amount : `${amount}/${round(limit)}`;
}

/** What is charged and, if there is any, what permits have reserved. */
function promised(charged: string, reserved: string, round: (amount: string) => string): string {
  // Somebody else wrote there what is no amount.
  const shown = (amount: string) => (amount === "" ? "?" : round(amount));
  const isNone = reserved !== "" && Big(reserved).eq(0);
  return isNone ? shown(charged) : `${shown(charged)}+${shown(reserved)}`;
}

const COIN_DIGITS = 5;
const CENTS_BELOW = 100;
const MILLION = 1_000_000;
const MILLION_DIGITS = 3;

/** For people, as the others: `--json` has every digit. */
function coins(amount: string): string {
  const given = Big(amount);
  if (given.gte(10 ** COIN_DIGITS)) return short(amount);
  return given.eq(0) ? "0" : given.prec(COIN_DIGITS).toFixed();
}

function dollars(amount: string): string {
  const given = Big(amount);
  return given.lt(CENTS_BELOW) ? given.round(2).toFixed() : short(amount);
}

function short(amount: string): string {
  const given = Big(amount);
  if (given.lt(MILLION)) return given.round().toFixed();
  return `${given.div(MILLION).prec(MILLION_DIGITS).toFixed()}M`;
}

export function groupRows(groups: readonly Group[]): Rows {
  const backlog = ({ lag, pending }: Group) => (lag ?? 0) + pending;
  return [
    ["stream", "group", "lag", "pending", "oldest idle", "consumers"],
    ...groups
      .toSorted((a, b) => backlog(b) - backlog(a))
      .map(({ stream, group, lag, pending, oldestIdleMs, consumers }) => [
        stream,
        group,
        String(lag ?? "?"),
        String(pending),
        pending === 0 ? "" : duration(oldestIdleMs),
        String(consumers.length),
      ]),
  ];
}

/** Undefined if one of them has something left to do. */
export function quietGroups(groups: readonly Group[]): string | undefined {
  const isBehind = groups.some(({ lag, pending }) => lag !== 0 || pending > 0);
  return isBehind ? undefined : `${groups.length}, with nothing left to read or to handle`;
}
