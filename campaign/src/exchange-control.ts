/** What the campaign asks of exchange-sim beside the venue's own requests. */
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";

/** The next orders and their events meet the prepared faults. Symbols without any in this time are spared. */
const MET_WITHIN_MS = 3_000;
const LOOK_MS = 20;

const pendingSchema = z.array(z.object({ symbol: z.string().optional() }));

export async function ask(
  exchangeUrl: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const response = await fetch(`${exchangeUrl}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  if (!response.ok)
    throw new Error(
      `exchange-sim answered ${response.status} to ${method} ${path}: ${await response.text()}`,
    );
  return response.json();
}

/**
 * Waits until every prepared fault has been met, and removes the rest.
 * @returns the symbols that were spared
 */
export async function allMet(
  exchangeUrl: string,
  path: "/sim/faults" | "/sim/stream-faults" = "/sim/faults",
): Promise<ReadonlySet<string | undefined>> {
  const deadline = performance.now() + MET_WITHIN_MS;
  for (;;) {
    const pending = pendingSchema.parse(await ask(exchangeUrl, "GET", path));
    if (pending.length === 0) return new Set();
    if (performance.now() > deadline) {
      await ask(exchangeUrl, "DELETE", path);
      return new Set(pending.map(({ symbol }) => symbol));
    }
    await delay(LOOK_MS);
  }
}
