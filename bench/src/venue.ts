/** What exchange-sim tells a tester: requests, weights, refusals, trades. Reading it is not counted against its limits. */
import type { Figures } from "./measure.ts";

export interface Usage {
  /** By `METHOD /path`. */
  requests: Record<string, number>;
  limits: {
    weightPerMinute: number;
    /** Of all requests so far. */
    weight: number;
    weightThisMinute: number;
    /** Answered with 429. */
    refused: number;
    /** Answered with 418. */
    banned: number;
    /** Orders answered with 429. */
    ordersRefused: number;
  };
  streamSockets: number;
}

export interface Trade {
  id: string;
  symbol: string;
  timeMs: number;
}

export async function readUsage(venueUrl: string): Promise<Usage> {
  return (await getJson(`${venueUrl}/sim/usage`)) as Usage;
}

/** All trades of the account, oldest first for each symbol. The answer grows with them. */
export async function readTrades(venueUrl: string): Promise<Trade[]> {
  return ((await getJson(`${venueUrl}/sim/state`)) as { trades: Trade[] }).trades;
}

/** @param fault as exchange-sim's stream-faults.ts describes it */
export async function faultOfStream(venueUrl: string, fault: { kind: string; ms: number }): Promise<void> {
  const answer = await fetch(`${venueUrl}/sim/stream-faults`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(fault),
  });
  if (!answer.ok) throw new Error(`exchange-sim does not take the fault: ${await answer.text()}`);
}

/** Requests, in total and by endpoint, and their weight. */
export function since(before: Usage, after: Usage): Figures {
  const figures: Figures = { requests: 0, weight: after.limits.weight - before.limits.weight };
  for (const [endpoint, count] of Object.entries(after.requests)) {
    const more = count - (before.requests[endpoint] ?? 0);
    if (more === 0) continue;
    figures["requests"] = (figures["requests"] ?? 0) + more;
    figures[`request ${endpoint}`] = more;
  }
  return figures;
}

async function getJson(url: string): Promise<unknown> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}
