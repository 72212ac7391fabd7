/**
 * The venue's order rules by symbol. Read at start, every hour, and when a symbol is unknown or its rules seem
 * outdated.
 */
import type { Exchange, SymbolRules } from "./port.ts";

const REFRESH_MS = 3_600_000;
/** An unknown symbol must not cause a read of the whole list for every order. */
const UNKNOWN_REFRESH_MS = 60_000;
/** Refusals come in bursts, and the venue's list may lag behind what it enforces. */
const AGAIN_MS = 5_000;

export class RuleBook {
  readonly #exchange: Exchange;
  readonly #onFailure: (error: Error) => void;
  #rules: ReadonlyMap<string, SymbolRules> = new Map();
  #readAtMs = -Infinity;
  #reading: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #askedAgain = false;

  /** @param onFailure called when a read fails; the rules then stay as they were */
  constructor(exchange: Exchange, onFailure: (error: Error) => void) {
    this.#exchange = exchange;
    this.#onFailure = onFailure;
  }

  /** @throws if the venue cannot be read */
  async start(): Promise<void> {
    await this.#read();
    this.#timer = setInterval(() => void this.#tryRead(), REFRESH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#again);
  }

  /** Undefined if the venue did not list the symbol at the last read. */
  get(symbol: string): SymbolRules | undefined {
    return this.#rules.get(symbol);
  }

  /** Undefined if the venue does not list the symbol, or if reading the list again failed. */
  async of(symbol: string): Promise<SymbolRules | undefined> {
    if (!this.#rules.has(symbol) && performance.now() - this.#readAtMs > UNKNOWN_REFRESH_MS)
      await this.#tryRead();
    return this.#rules.get(symbol);
  }

  /**
   * Call this when the venue refuses what these rules allow, or when they forbid what it may now allow. Reads the rules
   * at once, and again after a pause if called again in the meantime.
   */
  readAgain(): void {
    this.#askedAgain = true;
    if (this.#again !== undefined) return;
    const read = () => {
      this.#again = undefined;
      if (!this.#askedAgain) return;
      this.#askedAgain = false;
      this.#again = setTimeout(read, AGAIN_MS).unref();
      void this.#tryRead();
    };
    read();
  }

  async #tryRead(): Promise<void> {
    this.#reading ??= this.#read()
      .catch((error: unknown) => this.#onFailure(error as Error))
      .finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  async #read(): Promise<void> {
    this.#readAtMs = performance.now();
    // The clock offset drifts about as slowly as the rules change.
    const [rules] = await Promise.all([this.#exchange.rules(), this.#exchange.serverTime()]);
    this.#rules = rules;
  }
}
