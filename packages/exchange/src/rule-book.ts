/** The venue's order rules by symbol: read at start, hourly, and when a symbol is not among them or is refused by them. */
import type { Exchange, SymbolRules } from "./port.ts";

const REFRESH_MS = 3_600_000;
/** A symbol that stays unknown must not ask for the whole list at every order. */
const UNKNOWN_REFRESH_MS = 60_000;
/** Refusals come in storms, and what the venue lists may lag behind what it enforces. */
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

  /** @param onFailure told of a read that failed; the rules stay as they were */
  constructor(exchange: Exchange, onFailure: (error: Error) => void) {
    this.#exchange = exchange;
    this.#onFailure = onFailure;
  }

  /** @throws if the venue cannot be read now */
  async start(): Promise<void> {
    await this.#read();
    this.#timer = setInterval(() => void this.#tryRead(), REFRESH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#again);
  }

  /** Undefined if the venue did not trade it when it was last asked. */
  get(symbol: string): SymbolRules | undefined {
    return this.#rules.get(symbol);
  }

  /** Undefined if the venue does not trade it, or could not be queried for a symbol it did not trade before. */
  async of(symbol: string): Promise<SymbolRules | undefined> {
    if (!this.#rules.has(symbol) && performance.now() - this.#readAtMs > UNKNOWN_REFRESH_MS)
      await this.#tryRead();
    return this.#rules.get(symbol);
  }

  /**
   * The venue refuses what these rules allow, or they forbid what it may allow by now. They are read at once, and once
   * more after a pause if that is said again meanwhile.
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
    // The clock offset drifts as slowly as the rules change.
    const [rules] = await Promise.all([this.#exchange.rules(), this.#exchange.serverTime()]);
    this.#rules = rules;
  }
}
