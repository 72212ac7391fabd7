/** With which key an operator signs, and for which executor: options, then the environment, then a running `start`. */
import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { type ExitSigner, venueName } from "@quantum/operator";
import { KeyFileError, loadSigningKey } from "@quantum/signing";
import { CommandError, EXIT } from "./exit.ts";
import type { Run } from "./running.ts";
import type { Session } from "./session.ts";

export interface SignerOptions {
  key?: string;
  operator?: string;
  mode?: string;
  venue?: string;
  account?: string;
}

export const OPERATOR_NAME = /^[a-z][a-z0-9_]{0,31}$/;
const KEY_FILE = /^operator-([a-z][a-z0-9_]{0,31})\.pem$/;
const HOW_TO_MAKE =
  "make one with permitctl keys new --operator NAME, and carry its public half to the executor (EXECUTOR_OPERATOR_KEYS_FILE)";

const ACCOUNT = "main";

/** @throws {@link CommandError} that names what is missing */
export async function signerOf(
  options: SignerOptions,
  session: Pick<Session, "run" | "env">,
): Promise<ExitSigner> {
  // A shell's variables are about another pipeline than the one that is named.
  const env: Session["env"] = session.run === undefined ? session.env : environmentOf(session.run);
  const named = (option: string | undefined, variable: string) => option ?? (env[variable] || undefined);
  const mode = named(options.mode, "EXECUTOR_MODE");
  if (mode === undefined)
    throw usage(
      "the executor's mode must be signed: --mode, or EXECUTOR_MODE, as the executor has it (testnet or paper)",
    );
  if (mode === "dry_run")
    throw usage("an executor in EXECUTOR_MODE=dry_run sends no orders: there is nothing to exit from");
  const venue = named(options.venue, "BINANCE_BASE_URL");
  if (venue === undefined)
    throw usage(
      "the venue must be signed: --venue, or BINANCE_BASE_URL, as the executor has it (for example testnet.binancefuture.com)",
    );
  const file = options.key ?? (env["PERMITCTL_OPERATOR_KEY"] || (await onlyKey(session)));
  const operator = options.operator ?? KEY_FILE.exec(basename(file))?.[1];
  if (operator === undefined || !OPERATOR_NAME.test(operator))
    throw usage(
      `whose key is ${file}? Name the operator as the executor lists them (--operator NAME), or the file operator-NAME.pem`,
    );
  const key = await loadSigningKey(file).catch((error: unknown) => {
    throw error instanceof KeyFileError ? usage(`the operator's key: ${error.message}`) : error;
  });
  const account = named(options.account, "QUANTUM_ACCOUNT") ?? ACCOUNT;
  return { operator, key, mode, venue: nameOf(venue), account };
}

function environmentOf({ exit }: Run): Session["env"] {
  if (exit === undefined) return {};
  return { EXECUTOR_MODE: exit.mode, BINANCE_BASE_URL: exit.venue, QUANTUM_ACCOUNT: exit.account };
}

function nameOf(venue: string): string {
  try {
    return venueName(venue);
  } catch (error) {
    throw usage((error as Error).message);
  }
}

/** In the running pipeline's folder of keys, or in the operator's own. */
async function onlyKey({ env, run }: Pick<Session, "run" | "env">): Promise<string> {
  const folder = run?.exit?.keysFolder ?? join(env["HOME"] ?? homedir(), ".config/permitctl");
  const names = await readdir(folder).catch(() => []);
  const files = names.filter((name) => KEY_FILE.test(name));
  const [only] = files;
  if (only === undefined)
    throw usage(
      `no operator's key: --key FILE, PERMITCTL_OPERATOR_KEY, or ${folder}/operator-NAME.pem; ${HOW_TO_MAKE}`,
    );
  if (files.length > 1)
    throw usage(
      `${folder} has ${files.toSorted().join(", ")}: say which with --key FILE or PERMITCTL_OPERATOR_KEY`,
    );
  return join(folder, only);
}

function usage(message: string): CommandError {
  return new CommandError(EXIT.usage, message);
}
