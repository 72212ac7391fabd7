/** Where orders go. There is no live mode: only simulators and Binance's test venues pass. */
export interface Venue {
  /** Scheme, host and port, without a trailing slash. */
  readonly baseUrl: string;
  /** No outside world behind it: invented positions and injected faults are allowed here, and only here. */
  readonly simulated: boolean;
}

// An allow-list, because production has more names than anyone lists: regional, market-maker, proxied ones.
const TEST_VENUES = new Set(["testnet.binancefuture.com", "demo-fapi.binance.com"]);
const SIMULATOR_HOST = "exchange-sim";
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** Throws an Error that names BINANCE_BASE_URL, its value without what may be secret in it, and the rule. */
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
      `must be a loopback host, ${SIMULATOR_HOST}, ${[...TEST_VENUES].join(" or ")}; production is refused`,
    );
  }
  if (!simulated && url.protocol !== "https:") throw refuse("must be https outside this machine");
  return { baseUrl: url.origin, simulated };
}

/** An URL may carry a password before its host and a token behind it; whatever it was, it may be misspelt. */
function withoutSecrets(url: string): string {
  return url.replace(/^([a-z]+:\/\/)?.*@/is, "$1(hidden)@").replace(/[?#].*$/s, "?(hidden)");
}
