/** `verify`: does the deployment work? One line per check. */
import { checkDeployment } from "@quantum/operator";
import { type AddressOptions, addressesOf } from "./addresses.ts";
import { type CheckOptions, environmentOf, printChecks } from "./checks.ts";
import type { Host } from "./host.ts";
import type { Session } from "./session.ts";

export interface VerifyOptions extends CheckOptions, AddressOptions {}

/** @returns whether every check was made and passes */
export async function verify(session: Session, options: VerifyOptions, env: Host["env"]): Promise<boolean> {
  const environment = await environmentOf(options, env);
  const addresses = addressesOf(options, session);
  return printChecks(session.terminal, await checkDeployment(session.access, environment, addresses));
}
