/** Is the venue, and the account there, as the pipeline needs them? Asked before it runs there. Reads only; never an order. */
import { once } from "node:events";
import {
  createAccountStream,
  createBinanceExchange,
  type Exchange,
  isDust,
  parseVenue,
  Pauses,
  type Position,
  positionOf,
  refusesAll,
  type SymbolRules,
  type Venue,
} from "@quantum/exchange";
import { ConfigError, readConfig, shareExchangePauses, symbols, text } from "@quantum/service-kit";
import { Big } from "big.js";
import { z } from "zod";
import type { OpenAccess } from "./access.ts";
import type { Check } from "./deployment.ts";
import { duration } from "./duration.ts";
import { readPauses } from "./pauses.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Those of position-brain, which executor and P3.3 have in common. */
const variables = z.object({
  BINANCE_BASE_URL: text(""),
  BINANCE_TESTNET_API_KEY: text(""),
  BINANCE_TESTNET_API_SECRET: text(""),
  APPLY_ALLOWLIST: symbols("", "BTCUSDT"),
  P33_ALLOWLIST: z.union(
    [z.undefined(), symbols("", "BTCUSDT")],
    "must be a comma-separated list of symbols",
  ),
});

const TIMEOUT_MS = 3_000;
/** A connection, and the first answer to a ping. */
const STREAM_UP_MS = 10_000;
const RECV_WINDOW_MS = 5_000;
/** The venue refuses what is stamped further ahead (-1021). Services follow its clock, so a larger offset only shows that one is wrong. */
const CLOCK_OFFSET_MAX_MS = 1_000;
const SILENT = { warn: () => undefined, error: () => undefined };

/** @param environment the variables of position-brain or of the executor */
export async function checkVenue(access: OpenAccess, environment: Environment): Promise<Check[]> {
  const read = readVariables(environment);
  if ("flaw" in read) return [{ check: "configuration", ok: false, found: read.flaw }];
  const { config, venue } = read;
  const name = venue.simulated ? `simulated, ${venue.baseUrl}` : venue.name;
  const told: Check = { check: "configuration", ok: true, found: name };
  const pause = (await readPauses(access.partitions.account)).find(({ scope }) => scope === "requests");
  if (pause !== undefined) {
    const found = `accepts none for ${duration(pause.leftMs)}: ${pause.reason}; nothing was asked`;
    return [told, { check: "requests", ok: false, found }];
  }
  const pauses = new Pauses();
  // A pause that the venue asks for here is for the services, too.
  const stopPauses = await shareExchangePauses({ pauses, ...access.partitions.account, log: SILENT });
  try {
    const exchange = createBinanceExchange({
      baseUrl: venue.baseUrl,
      apiKey: config.BINANCE_TESTNET_API_KEY,
      apiSecret: config.BINANCE_TESTNET_API_SECRET,
      timeoutMs: TIMEOUT_MS,
      recvWindowMs: RECV_WINDOW_MS,
      pauses,
    });
    const clock = await attempt("clock", () => checkClock(exchange, access.nowMs));
    return [
      told,
      ...clock,
      ...(await attempt("account", () => checkAccount(exchange))),
      ...(await attempt("account events", () => checkStream(exchange, venue))),
      ...(await attempt("rules", () =>
        checkSymbols(exchange, config.P33_ALLOWLIST ?? config.APPLY_ALLOWLIST),
      )),
    ];
  } finally {
    stopPauses();
  }
}

function readVariables(
  environment: Environment,
): { config: z.output<typeof variables>; venue: Venue } | { flaw: string } {
  try {
    const { config } = readConfig({ schema: variables, ownPrefixes: [] }, environment);
    return { config, venue: parseVenue(config.BINANCE_BASE_URL) };
  } catch (error) {
    return { flaw: error instanceof ConfigError ? error.violations.join("; ") : (error as Error).message };
  }
}

/** What cannot be read fails its check, and no other. */
async function attempt(check: string, ask: () => Promise<Check[]>): Promise<Check[]> {
  try {
    return await ask();
  } catch (error) {
    return [{ check, ok: false, found: (error as Error).message }];
  }
}

async function checkClock(exchange: Exchange, redisNowMs: () => number): Promise<Check[]> {
  await exchange.serverTime();
  const venueMs = exchange.now();
  const offsets = [
    ["this machine", venueMs - Date.now()],
    ["Redis", venueMs - redisNowMs()],
  ] as const;
  const found = offsets.map(
    ([whose, offsetMs]) =>
      `${Math.abs(Math.round(offsetMs))} ms ${offsetMs < 0 ? "behind" : "ahead of"} ${whose}`,
  );
  const ok = offsets.every(([, offsetMs]) => Math.abs(offsetMs) <= CLOCK_OFFSET_MAX_MS);
  return [{ check: "clock", ok, found: `the venue is ${found.join(", ")}` }];
}

async function checkAccount(exchange: Exchange): Promise<Check[]> {
  const { canTrade, hedgeMode, multiAssetsMode } = await exchange.accountConfig();
  return [
    {
      check: "key",
      ok: canTrade,
      found: canTrade
        ? "it reads the account, and the account may trade; whether the key may, only an order shows"
        : "the account may not trade",
    },
    {
      check: "position mode",
      ok: !hedgeMode,
      found: hedgeMode ? "hedge mode: no service starts; switch to one-way mode" : "one-way",
    },
    {
      check: "assets mode",
      ok: !multiAssetsMode,
      found: multiAssetsMode
        ? "multi-assets mode: all positions share their margin, so one can liquidate another; switch it off"
        : "single-asset",
    },
  ];
}

async function checkStream(exchange: Exchange, venue: Venue): Promise<Check[]> {
  const stream = createAccountStream({ venue, exchange });
  let why = "";
  stream.on("down", ({ problem }) => void (why = problem));
  const up = once(stream, "up", { signal: AbortSignal.timeout(STREAM_UP_MS) });
  stream.start();
  const check = "account events";
  try {
    await up;
    return [{ check, ok: true, found: "the stream connects and answers" }];
  } catch {
    const problem = why === "" ? `no answer within ${STREAM_UP_MS / 1_000} s` : why;
    return [{ check, ok: false, found: `${problem}; services would read the account by requests` }];
  } finally {
    await stream.stop();
  }
}

async function checkSymbols(exchange: Exchange, wanted: readonly string[]): Promise<Check[]> {
  const [rules, positions] = await Promise.all([exchange.rules(), exchange.positions()]);
  return wanted.map((symbol) => {
    const finding = symbolFinding(rules.get(symbol), positionOf(positions, symbol));
    return { check: symbol, ...finding };
  });
}

/** @param position undefined if it cannot be read */
function symbolFinding(
  rules: SymbolRules | undefined,
  position: Position | undefined,
): Pick<Check, "ok" | "found"> {
  if (rules === undefined)
    return { ok: false, found: "the venue lists no such symbol, or its rules cannot be read" };
  if (position === undefined) return { ok: false, found: "its position cannot be read" };
  const { status, stepSize, minQty, maxQty, minNotional } = rules;
  const limits = `${status || "no status"}, step ${stepSize}, an order from ${minQty} to ${maxQty}, notional from ${minNotional}`;
  const found = `${limits}, position ${positionText(position, rules)}`;
  return { ok: !refusesAll(rules), found };
}

function positionText({ positionAmt }: Position, rules: SymbolRules): string {
  if (isDust(positionAmt, rules)) return `${positionAmt}: too small for any order`;
  const orders = Big(positionAmt).abs().div(rules.maxQty).round(0, Big.roundUp);
  return orders.gt(1) ? `${positionAmt}: closed by ${orders.toFixed()} orders` : positionAmt;
}
