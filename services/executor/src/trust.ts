/**
 * What the executor trusts: its own configuration, and public keys that may be replaced while it runs. Issuers and operators
 * have lists of their own, and no key is in both: whoever holds an issuer's key must not be able to close as an operator.
 */
import { stat } from "node:fs/promises";
import type { Venue } from "@quantum/exchange";
import { type FollowedFile, followFile, type Logger } from "@quantum/service-kit";
import { IssuerKeys, loadIssuerKeys } from "@quantum/signing";
import type { Config } from "./config.ts";
import { DRY_RUN, type Trust } from "./verify.ts";

export interface FollowedTrust {
  trust: Trust;
  /** Why the current public keys are not in use. */
  problems: () => string[];
  stop: () => Promise<void>;
}

/** @throws ConfigError if a file of public keys is bad, the issuers' lacks one, or one key is in both */
export async function followTrust(config: Config, venue: Venue, log: Logger): Promise<FollowedTrust> {
  const unsigned = new Set(config.EXECUTOR_UNSIGNED_ISSUERS);
  if (unsigned.size > 0) {
    log.warn(
      { issuers: [...unsigned] },
      `permits of ${[...unsigned].join(", ")} are believed without a signature: whoever can write to Redis can grant them`,
    );
  }
  const files = await followKeys(config, log);
  return {
    trust: {
      mode: config.EXECUTOR_MODE,
      venue: venue.name,
      account: config.QUANTUM_ACCOUNT,
      required: config.EXECUTOR_REQUIRED_ISSUERS,
      unsigned,
      keys: () => files.issuers?.current ?? IssuerKeys.NONE,
      operatorKeys: () => files.operators?.current ?? IssuerKeys.NONE,
    },
    problems: () => [...(files.issuers?.problems() ?? []), ...(files.operators?.problems() ?? [])],
    stop: async () => {
      await Promise.all([files.issuers?.stop(), files.operators?.stop()]);
    },
  };
}

/** Each is undefined without a file. Then no order that needs such a signature is sent. */
interface KeyFiles {
  issuers?: FollowedFile<IssuerKeys>;
  operators?: FollowedFile<IssuerKeys>;
}

async function followKeys(config: Config, log: Logger): Promise<KeyFiles> {
  const { EXECUTOR_ISSUER_KEYS_FILE: issuersFile, EXECUTOR_OPERATOR_KEYS_FILE: operatorsFile } = config;
  const { EXECUTOR_REQUIRED_ISSUERS: required, EXECUTOR_UNSIGNED_ISSUERS: unsigned } = config;
  const files: KeyFiles = {};
  if (issuersFile !== undefined) {
    files.issuers = await followFile({
      variable: "EXECUTOR_ISSUER_KEYS_FILE",
      file: issuersFile,
      load: async (file) => {
        const keys = await loadIssuerKeys(file);
        const lacking = required.filter((issuer) => !unsigned.includes(issuer) && !keys.has(issuer));
        if (lacking.length > 0) throw new Error(`${file} lists no key of ${lacking.join(", ")}`);
        refuseShared(file, keys, files.operators, "EXECUTOR_OPERATOR_KEYS_FILE");
        return keys;
      },
      what: "the list of the issuers' public keys",
      shown: idsOf,
      log,
    });
  }
  if (operatorsFile !== undefined) {
    files.operators = await followFile({
      variable: "EXECUTOR_OPERATOR_KEYS_FILE",
      file: operatorsFile,
      load: async (file) => {
        const keys = await loadOperatorKeys(file);
        const issuers = [...keys.listed.keys()].filter((name) => required.includes(name));
        if (issuers.length > 0)
          throw new Error(
            `${file} lists ${issuers.join(", ")}, which EXECUTOR_REQUIRED_ISSUERS names: no issuer is an operator`,
          );
        refuseShared(file, keys, files.issuers, "EXECUTOR_ISSUER_KEYS_FILE");
        return keys;
      },
      what: "the list of the operators' public keys",
      shown: idsOf,
      log,
    });
  }
  if (config.EXECUTOR_MODE !== DRY_RUN && (files.operators?.current.count ?? 0) === 0)
    log.warn("no operator's key is enrolled: no operator can close positions through this executor");
  return files;
}

/** Where there is no file yet, nobody is enrolled. That must not keep the orders of issuers from being sent. */
async function loadOperatorKeys(file: string): Promise<IssuerKeys> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error && found.code === "ENOENT") return IssuerKeys.NONE;
  return loadIssuerKeys(file);
}

function refuseShared(
  file: string,
  keys: IssuerKeys,
  others: FollowedFile<IssuerKeys> | undefined,
  variable: string,
): void {
  const [shared] = others === undefined ? [] : keys.sharedWith(others.current);
  if (shared === undefined) return;
  const { kid, owner, other } = shared;
  throw new Error(
    `${file} lists key ${kid} of ${owner}, which ${variable} lists for ${other}: no key counts for an issuer and an operator`,
  );
}

function idsOf({ listed }: IssuerKeys): Record<string, string[]> {
  return Object.fromEntries([...listed].map(([name, keys]) => [name, [...keys.keys()]]));
}
