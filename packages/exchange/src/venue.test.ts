import { describe, expect, it } from "vitest";
import { parseVenue } from "./venue.ts";

describe("parseVenue", () => {
  it.each([
    ["http://127.0.0.1:8099", true, "simulated", "ws://127.0.0.1:8099"],
    ["http://localhost:8099/", true, "simulated", "ws://localhost:8099"],
    ["http://[::1]:8099", true, "simulated", "ws://[::1]:8099"],
    ["https://127.0.0.1:8099", true, "simulated", "wss://127.0.0.1:8099"],
    ["http://exchange-sim:8099", true, "simulated", "ws://exchange-sim:8099"],
    [
      "https://testnet.binancefuture.com",
      false,
      "testnet.binancefuture.com",
      "wss://fstream.binancefuture.com",
    ],
    ["https://demo-fapi.binance.com", false, "demo-fapi.binance.com", "wss://demo-fstream.binance.com"],
  ])("takes %s, simulated: %s, named %s, streaming from %s", (url, simulated, name, streamUrl) => {
    expect(parseVenue(url)).toEqual({ baseUrl: url.replace(/\/$/, ""), streamUrl, name, simulated });
  });

  it.each([
    "",
    " ",
    "https://fapi.binance.com",
    "https://FAPI.binance.com",
    "https://fapi.binance.com.",
    "https://api.binance.com",
    "https://fapi1.binance.com",
    "https://fapi-mm.binance.com",
    "https://testnet.binancefuture.com.evil.example",
    "http://127.0.0.1.evil.example",
    "http://exchange-sim.evil.example",
    "https://10.0.0.5",
    "http://testnet.binancefuture.com",
    "http://127.0.0.1@fapi.binance.com",
    "https://testnet.binancefuture.com/fapi",
    "ftp://127.0.0.1",
    "127.0.0.1:8099",
  ])("refuses %o, naming the variable", (url) => {
    expect(() => parseVenue(url)).toThrow("BINANCE_BASE_URL");
  });

  it.each([
    "https://user:hunter2@testnet.binancefuture.com",
    "user:hunter2@testnet.binancefuture.com",
    "https:/user:hunter2@demo-fapi.binance.com",
    "https://user:hunt@hunter2@demo-fapi.binance.com",
    "https://testnet.binancefuture.com/?token=hunter2",
    "https://testnet.binancefuture.com#hunter2",
  ])("shows no credentials when it refuses %s", (url) => {
    expect(() => parseVenue(url)).toThrow(/^BINANCE_BASE_URL="(?!.*hunter2)/);
  });
});
