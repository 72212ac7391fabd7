/** examples/issuer.py beside the real issuers: it reads, writes and signs as docs/wire.md says. */
import { join } from "node:path";
import { endProcess, spawnGuarded } from "@quantum/harness";
import { expect, it } from "vitest";
import { ALL_VALID, runWithExample } from "./example-run.ts";
import { PYTHON, WITHOUT_PYTHON } from "./python-with-redis.ts";

const PLANS = 50;
const MAIN = join(import.meta.dirname, "../examples/issuer.py");
const FROZEN = "BTCUSDT";

it.skipIf(PYTHON === undefined)(
  `the issuer in Python permits all but frozen symbols, and the executor verifies what it signs${WITHOUT_PYTHON}`,
  async () => {
    const { history, signatures } = await runWithExample({
      issuer: "example",
      plans: PLANS,
      start: async ({ redisUrl, venueUrl = "", keysFolder = "" }) => {
        const child = await spawnGuarded(PYTHON ?? "", [MAIN], {
          env: {
            REDIS_URL: redisUrl,
            BINANCE_BASE_URL: venueUrl,
            EXAMPLE_SIGNING_KEY_FILE: join(keysFolder, "example.pem"),
            EXAMPLE_FROZEN_SYMBOLS: FROZEN,
          },
          ending: "watched",
        });
        child.stdout.resume();
        child.stderr.resume();
        return () => endProcess(child, "SIGTERM");
      },
    });
    const blocked = history.results.filter(({ reason }) => reason === "example_permit_denied");
    expect(blocked.length).toBeGreaterThan(0);
    expect(new Set(blocked.map(({ symbol }) => symbol))).toEqual(new Set([FROZEN]));
    const executed = signatures.filter((found) => found === ALL_VALID);
    expect(executed.length).toBe(signatures.length - blocked.length);
  },
);
