/** Where services are that cannot be found by their names, such as those in containers. */
import { InvalidArgumentError } from "commander";
import { CommandError, EXIT } from "./exit.ts";
import type { Host } from "./host.ts";

export interface AddressOptions {
  /** Of `--url`, one for each. */
  url?: readonly string[];
}

/** The option's; without it, those of `PERMITCTL_URLS`. */
export function addressesOf({ url }: AddressOptions, env: Host["env"]): readonly string[] {
  if (url !== undefined) return url;
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
