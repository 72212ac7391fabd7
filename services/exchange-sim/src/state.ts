/**
 * Keeps the account in a file, so that a new process goes on with it: a line for each change, written before the answer
 * leaves. Each line begins with the checksum of everything up to it, so a changed or missing line is noticed. A last line
 * without an end was being written when the process died, and its answer did not leave: it is dropped.
 */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { ORDER_STATUSES } from "@quantum/exchange";
import { ConfigError } from "@quantum/service-kit";
import { z } from "zod";
import type { SymbolAccount } from "./account.ts";
import {
  ALGO_STATUSES,
  ALGO_TYPES,
  NO_PRICE,
  ORDER_TYPES,
  ORIGINS,
  type SavedAccount,
  type SavedPosition,
  type SimAlgoOrder,
  type SimOrder,
  type SimTrade,
} from "./records.ts";
import type { SimVenue } from "./venue.ts";

const side = z.enum(["BUY", "SELL"]);
const orderSchema = z.strictObject({
  symbol: z.string(),
  orderId: z.string(),
  clientOrderId: z.string(),
  side,
  // Files from before there were limit orders have neither.
  type: z.enum(ORDER_TYPES).default("MARKET"),
  price: z.string().default(NO_PRICE),
  reduceOnly: z.boolean(),
  origin: z.enum(ORIGINS),
  origQty: z.string(),
  timeMs: z.number(),
  timestampMs: z.number().optional(),
  recvWindowMs: z.number().optional(),
  status: z.enum(ORDER_STATUSES),
  executedQty: z.string(),
  cumQuote: z.string(),
  avgPrice: z.string(),
  updateTimeMs: z.number(),
});
const tradeSchema = z.strictObject({
  id: z.string(),
  orderId: z.string(),
  symbol: z.string(),
  side,
  price: z.string(),
  qty: z.string(),
  realizedProfit: z.string(),
  timeMs: z.number(),
});
const algoSchema = z.strictObject({
  symbol: z.string(),
  algoId: z.string(),
  clientAlgoId: z.string(),
  side,
  type: z.enum(ALGO_TYPES),
  reduceOnly: z.boolean(),
  closePosition: z.boolean(),
  quantity: z.string(),
  triggerPrice: z.string(),
  timeMs: z.number(),
  status: z.enum(ALGO_STATUSES),
  actualOrderId: z.string(),
  updateTimeMs: z.number(),
});
const changeSchema = z.strictObject({
  symbol: z.string(),
  /** As it is now. */
  order: orderSchema.optional(),
  algo: algoSchema.optional(),
  trade: tradeSchema.optional(),
  position: z.strictObject({ amount: z.string(), entry: z.string(), updateTimeMs: z.number() }),
});
type Change = z.infer<typeof changeSchema>;
type Rows = Pick<Change, "order" | "algo" | "trade">;

const FORMAT = { format: "exchange-sim account", version: 1 };
const FORMAT_LINE = JSON.stringify(FORMAT);
const CHECKSUM = /^([0-9a-f]{8}) (.*)$/s;
/** What a symbol keeps over a restart: orders, algo orders, and trades. The venue also forgets, after 90 days. */
const ROWS_MAX = 10_000;
/** The file is written again when it has grown by this much, and by its own length. */
const GROWTH_MIN_BYTES = 16 * 1024 * 1024;
const FILE_MODE = 0o600;
const NEW_ACCOUNT = "Move the file away to start with a new account";

export interface StateFile {
  /** No account before the first start. */
  readonly accounts: ReadonlyMap<string, SavedAccount> | undefined;
  /** From now on every change is written. */
  follow(venue: SimVenue): void;
  close(): void;
}

/**
 * @param symbols those of the market
 * @throws ConfigError if the file cannot be read, is damaged, or knows other symbols; `follow`: if it cannot be written
 */
export function openState(file: string, symbols: ReadonlySet<string>): StateFile {
  const refused = (why: string) => new ConfigError([`EXCHANGE_SIM_STATE=${JSON.stringify(file)}: ${why}`]);
  const orRefused = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      throw refused((error as Error).message);
    }
  };
  const accounts = existsSync(file) ? orRefused(() => readAccounts(readFileSync(file, "utf8"))) : undefined;
  for (const symbol of accounts?.keys() ?? []) {
    if (!symbols.has(symbol))
      throw refused(`it has ${symbol}, which the market does not have. ${NEW_ACCOUNT}`);
  }
  let writer: Writer | undefined;
  return {
    accounts,
    follow: (venue) => {
      writer = orRefused(() => new Writer(file, venue));
    },
    close: () => writer?.close(),
  };
}

interface FoundAccount {
  /** Each as its last line has it, by id, in the order in which they were accepted. */
  orders: Map<string, SimOrder>;
  trades: SimTrade[];
  algoOrders: Map<string, SimAlgoOrder>;
  position: SavedPosition;
}

function readAccounts(text: string): Map<string, SavedAccount> {
  const refused = (why: string) => new Error(`${why}: the account in it cannot be trusted. ${NEW_ACCOUNT}`);
  const lines = text.split("\n").slice(0, -1);
  const accounts = new Map<string, FoundAccount>();
  let checksum = 0;
  for (const [index, line] of lines.entries()) {
    const where = `line ${index + 1}`;
    const [, written = "", json = ""] = CHECKSUM.exec(line) ?? [];
    checksum = crc32(json, checksum);
    if (written !== hex(checksum))
      throw refused(`${where} is not what was written, or a line before it is missing`);
    if (index === 0) {
      if (json !== FORMAT_LINE) throw refused(`${where} is ${json}, not ${FORMAT_LINE}`);
      continue;
    }
    const parsed = changeSchema.safeParse(JSON.parse(json));
    if (!parsed.success) throw refused(`${where} is not a change: ${z.prettifyError(parsed.error)}`);
    const { symbol, order, algo, trade, position } = parsed.data;
    const account: FoundAccount = accounts.get(symbol) ?? {
      orders: new Map(),
      trades: [],
      algoOrders: new Map(),
      position,
    };
    accounts.set(symbol, account);
    if (order) account.orders.set(order.orderId, order);
    if (algo) account.algoOrders.set(algo.algoId, algo);
    if (trade) account.trades.push(trade);
    account.position = position;
  }
  if (lines.length === 0) throw refused("it is empty");
  return new Map(
    [...accounts].map(([symbol, { orders, trades, algoOrders, position }]) => [
      symbol,
      { orders: [...orders.values()], trades, algoOrders: [...algoOrders.values()], position },
    ]),
  );
}

class Writer {
  readonly #file: string;
  readonly #venue: SimVenue;
  #descriptor: number;
  #checksum = 0;
  #bytes = 0;
  #bytesAnew = 0;

  constructor(file: string, venue: SimVenue) {
    this.#file = file;
    this.#venue = venue;
    this.#descriptor = this.#writeAnew();
    venue.events.on("order", (order) => this.#append(venue.account(order.symbol), { order }));
    venue.events.on("algo", (algo) => this.#append(venue.account(algo.symbol), { algo }));
    venue.events.on("trade", (trade, order) => this.#append(venue.account(order.symbol), { trade, order }));
    venue.events.on("moved", (symbol) => this.#append(venue.account(symbol), {}));
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #append(account: SymbolAccount, change: Rows): void {
    try {
      this.#write(this.#descriptor, changeOf(account, change));
      if (this.#bytes > 2 * this.#bytesAnew && this.#bytes > GROWTH_MIN_BYTES) {
        const old = this.#descriptor;
        this.#descriptor = this.#writeAnew();
        closeSync(old);
      }
    } catch (error) {
      const failure = new Error(
        `EXCHANGE_SIM_STATE=${JSON.stringify(this.#file)}: ${(error as Error).message}`,
      );
      // The account is ahead of the file: going on would forget what was acknowledged. Uncaught, it ends the process.
      setImmediate(() => {
        throw failure;
      });
      throw failure;
    }
  }

  /** Replaces the file in one step. */
  #writeAnew(): number {
    const fresh = `${this.#file}.new`;
    const descriptor = openSync(fresh, "w", FILE_MODE);
    this.#checksum = 0;
    this.#bytes = 0;
    this.#write(descriptor, FORMAT_LINE);
    for (const account of this.#venue.accounts()) {
      // A symbol without orders has a position too.
      this.#write(descriptor, changeOf(account, {}));
      for (const order of account.orders.slice(-ROWS_MAX))
        this.#write(descriptor, changeOf(account, { order }));
      for (const trade of account.trades.slice(-ROWS_MAX))
        this.#write(descriptor, changeOf(account, { trade }));
      for (const algo of this.#venue.algoOrders.of(account.spec.symbol).slice(-ROWS_MAX))
        this.#write(descriptor, changeOf(account, { algo }));
    }
    fsyncSync(descriptor);
    renameSync(fresh, this.#file);
    this.#bytesAnew = this.#bytes;
    return descriptor;
  }

  #write(descriptor: number, json: string): void {
    this.#checksum = crc32(json, this.#checksum);
    this.#bytes += writeSync(descriptor, `${hex(this.#checksum)} ${json}\n`);
  }
}

function changeOf(account: SymbolAccount, change: Rows): string {
  return JSON.stringify({
    symbol: account.spec.symbol,
    ...change,
    position: account.savedPosition(),
  } satisfies Change);
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}
