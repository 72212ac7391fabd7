/** What the executor trusts: its own configuration, and public keys that may be replaced while it runs. */
import type { Venue } from "@quantum/exchange";
import { type FollowedFile, followFile, type Logger } from "@quantum/service-kit";
import { IssuerKeys, loadIssuerKeys } from "@quantum/signing";
import type { Config } from "./config.ts";
import type { Trust } from "./verify.ts";

export interface FollowedTrust {
  trust: Trust;
  /** Why the current public keys are not in use. */
  problems: () => string[];
  stop: () => Promise<void>;
}

/** @throws ConfigError if the file of public keys is bad or lacks an issuer */
export async function followTrust(config: Config, venue: Venue, log: Logger): Promise<FollowedTrust> {
  const unsigned = new Set(config.EXECUTOR_UNSIGNED_ISSUERS);
  const signing = config.EXECUTOR_REQUIRED_ISSUERS.filter((issuer) => !unsigned.has(issuer));
  if (unsigned.size > 0) {
    log.warn(
      { issuers: [...unsigned] },
      `permits of ${[...unsigned].join(", ")} are believed without a signature: whoever can write to Redis can grant them`,
    );
  }
  const followed = await followKeys(config, signing, log);
  return {
    trust: {
      mode: config.EXECUTOR_MODE,
      venue: venue.name,
      account: config.QUANTUM_ACCOUNT,
      required: config.EXECUTOR_REQUIRED_ISSUERS,
      unsigned,
      keys: () => followed?.current ?? IssuerKeys.NONE,
    },
    problems: () => followed?.problems() ?? [],
    stop: async () => followed?.stop(),
  };
}

/** Undefined without a file. Then no order that needs a signature is sent. */
async function followKeys(
  { EXECUTOR_ISSUER_KEYS_FILE: file }: Config,
  signing: readonly string[],
  log: Logger,
): Promise<FollowedFile<IssuerKeys> | undefined> {
  if (file === undefined) return undefined;
  return followFile({
    variable: "EXECUTOR_ISSUER_KEYS_FILE",
    file,
    load: async () => {
      const keys = await loadIssuerKeys(file);
      const lacking = signing.filter((issuer) => !keys.has(issuer));
      if (lacking.length > 0) throw new Error(`${file} lists no key of ${lacking.join(", ")}`);
      return keys;
    },
    what: "the list of the issuers' public keys",
    shown: ({ listed }) =>
      Object.fromEntries([...listed].map(([issuer, keys]) => [issuer, [...keys.keys()]])),
    log,
  });
}
