/** The issuer's private key, which may be replaced while it runs. */
import { type FollowedFile, followFile, type Logger } from "@quantum/service-kit";
import { loadSigningKey, type Signer } from "@quantum/signing";
import { type IssuerService, signingKeyVariable } from "@quantum/topology";

/**
 * Undefined if the issuer has none.
 * @throws ConfigError if it has one that cannot be used
 */
export async function followSigningKey(
  service: IssuerService,
  config: Readonly<Record<string, unknown>>,
  log: Logger,
): Promise<FollowedFile<Signer> | undefined> {
  const variable = signingKeyVariable(service);
  const file = config[variable];
  if (typeof file !== "string") {
    log.warn(`permits are unsigned: ${variable} is not set`);
    return undefined;
  }
  const shown = ({ kid }: Signer) => ({ kid });
  const key = await followFile({ variable, file, load: loadSigningKey, what: "the signing key", shown, log });
  log.info(shown(key.current), `permits are signed with key ${key.current.kid}`);
  return key;
}
