/** Where services are that cannot be found by their names, such as those in containers. */
import type { Addresses } from "@quantum/operator";
import { InvalidArgumentError } from "commander";
import { CommandError, EXIT } from "./exit.ts";
import type { Session } from "./session.ts";

export interface AddressOptions {
  /** Of `--url`, one for each. */
  url?: readonly string[];
}

/** Those of the option, or without it of `PERMITCTL_URLS`; and where a pipeline of the launcher has put its services. */
export function addressesOf({ url }: AddressOptions, { env, run }: Pick<Session, "env" | "run">): Addresses {
  return { urls: url ?? urlsOf(env), hints: run?.serviceUrls ?? [] };
}

function urlsOf(env: Session["env"]): string[] {
  const named = (env["PERMITCTL_URLS"] ?? "").split(",").map((text) => text.trim());
  const urls = named.filter((text) => text !== "");
  const wrong = urls.filter((text) => !isServiceUrl(text));
  if (wrong.length > 0) throw new CommandError(EXIT.usage, `PERMITCTL_URLS: ${wrong.join(", ")}: ${MUST_BE}`);
  return urls;
}

/** Of an option that may be given several times. */
export function serviceUrl(text: string, before: readonly string[] = []): string[] {
  if (!isServiceUrl(text)) throw new InvalidArgumentError(MUST_BE);
  return [...before, text];
}

const MUST_BE = "must be a URL such as http://127.0.0.1:8043";

function isServiceUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
