/** Where orders go. There is no live mode: only simulators and Binance's test venues are accepted. */
export interface Venue {
  /** Scheme, host and port, without a trailing slash. */
  readonly baseUrl: string;
  /** The same of its user data stream. */
  readonly streamUrl: string;
  /** What signed permits call it: its host, or `simulated` for every simulated exchange, whose address differs by run. */
  readonly name: string;
  /** Not connected to the real world. Invented positions and injected faults are only allowed here. */
  readonly simulated: boolean;
}

/**
 * An allow-list, because production has too many host names to list: regional, market-maker, proxies. Each has the
 * host of its streams. Source: Binance, "General Info" of the derivatives APIs, test environment.
 */
const TEST_VENUES: ReadonlyMap<string, string> = new Map([
  ["testnet.binancefuture.com", "fstream.binancefuture.com"],
  ["demo-fapi.binance.com", "demo-fstream.binance.com"],
]);
const SIMULATOR_HOST = "exchange-sim";
const SIMULATED = "simulated";
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Throws an Error with BINANCE_BASE_URL, its value without possible secrets, and the rule. */
export function parseVenue(baseUrl: string): Venue {
  if (baseUrl.trim() === "")
    throw new Error("BINANCE_BASE_URL is empty: name the venue, there is no default");
  const refuse = (rule: string) => new Error(`BINANCE_BASE_URL="${withoutSecrets(baseUrl)}": ${rule}`);

  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (!url || !(url.protocol === "http:" || url.protocol === "https:")) {
    throw refuse("must be an http or https URL");
  }
  if (
    url.username !== "" ||
    url.password !== "" ||
    url.pathname !== "/" ||
    url.search !== "" ||
    url.hash !== ""
  ) {
    throw refuse("must be scheme, host and port only");
  }

  const simulated = url.hostname === SIMULATOR_HOST || LOOPBACK.test(url.hostname);
  if (!simulated && !TEST_VENUES.has(url.hostname)) {
    throw refuse(
      `must be a loopback host, ${SIMULATOR_HOST}, ${[...TEST_VENUES.keys()].join(" or ")}; production is refused`,
    );
  }
  if (!simulated && url.protocol !== "https:") throw refuse("must be https outside this machine");
  const streamHost = TEST_VENUES.get(url.hostname);
  return {
    baseUrl: url.origin,
    // exchange-sim serves its stream on the port of its REST.
    streamUrl: streamHost === undefined ? url.origin.replace(/^http/, "ws") : `wss://${streamHost}`,
    name: simulated ? SIMULATED : url.hostname,
    simulated,
  };
}

/** A URL may contain a password before its host and a token after it, and it may be misspelt. */
function withoutSecrets(url: string): string {
  return url.replace(/^([a-z]+:\/\/)?.*@/is, "$1(hidden)@").replace(/[?#].*$/s, "?(hidden)");
}
