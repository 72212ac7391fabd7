/** The venue's order rules by symbol: read at start, hourly, and when a symbol is not among them. */
import type { Exchange, SymbolRules } from "./port.ts";

const REFRESH_MS = 3_600_000;
/** A symbol that stays unknown must not ask for the whole list at every order. */
const UNKNOWN_REFRESH_MS = 60_000;

export class RuleBook {
  readonly #exchange: Exchange;
  readonly #onFailure: (error: Error) => void;
  #rules: ReadonlyMap<string, SymbolRules> = new Map();
  #readAtMs = -Infinity;
  #reading: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

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
  }

  /** Undefined if the venue did not trade it when it was last asked. */
  get(symbol: string): SymbolRules | undefined {
    return this.#rules.get(symbol);
  }

  /** Undefined if the venue does not trade it, or could not be asked about a symbol it did not trade before. */
  async of(symbol: string): Promise<SymbolRules | undefined> {
    if (!this.#rules.has(symbol) && performance.now() - this.#readAtMs > UNKNOWN_REFRESH_MS)
      await this.#tryRead();
    return this.#rules.get(symbol);
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
