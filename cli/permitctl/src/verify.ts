/** `verify`: does the deployment work? One line per check. */
import { checkDeployment } from "@quantum/operator";
import { type CheckOptions, environmentOf, printChecks } from "./checks.ts";
import type { Host } from "./host.ts";
import type { Session } from "./session.ts";

/** @returns whether every check passes */
export async function verify(
  { access, terminal }: Session,
  options: CheckOptions,
  env: Host["env"],
): Promise<boolean> {
  return printChecks(terminal, await checkDeployment(access, await environmentOf(options, env)));
}
