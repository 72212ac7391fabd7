/** Raw requests to a simulated venue, signed as Binance documents it, for tests of what clients usually hide. */
import { createHmac } from "node:crypto";
import { createExchangeSim, type ExchangeSim, type ExchangeSimOptions } from "./server.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export class TestVenue {
  readonly #sim: ExchangeSim;
  readonly #now: () => number;

  private constructor(sim: ExchangeSim, now: () => number) {
    this.#sim = sim;
    this.#now = now;
  }

  static async start(options: ExchangeSimOptions): Promise<TestVenue> {
    const sim = createExchangeSim({ strategy: false, orderAnswer: "result", ...options });
    await sim.listen();
    return new TestVenue(sim, options.now ?? Date.now);
  }

  close(): Promise<void> {
    return this.#sim.close();
  }

  /** A signed request. `endpoint` is `METHOD /path`. */
  signed(endpoint: string, parameters: Record<string, string> = {}): Promise<Answer> {
    const query = new URLSearchParams({ ...parameters, timestamp: String(this.#now()) }).toString();
    return this.sent(endpoint, query, query);
  }

  /** Sends `query` with a signature over `signedText`. */
  sent(endpoint: string, query: string, signedText: string): Promise<Answer> {
    const signature = createHmac("sha256", "sim-secret").update(signedText).digest("hex");
    return this.#ask(endpoint, `?${query}&signature=${signature}`, { "x-mbx-apikey": "sim-key" });
  }

  public(endpoint: string): Promise<Answer> {
    return this.#ask(endpoint, "", {});
  }

  /** An order that reduces a long position, unless `parameters` say otherwise. */
  order(symbol: string, parameters: Record<string, string> = {}): Promise<Answer> {
    const order = { symbol, side: "SELL", type: "MARKET", quantity: "0.001", reduceOnly: "true" };
    return this.signed("POST /fapi/v1/order", { ...order, ...parameters });
  }

  async control(path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${this.#sim.url}${path}`, {
      ...(body && {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  async #ask(endpoint: string, query: string, headers: Record<string, string>): Promise<Answer> {
    const [method = "", path = ""] = endpoint.split(" ");
    const answer = await fetch(`${this.#sim.url}${path}${query}`, { method, headers });
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
  }
}
