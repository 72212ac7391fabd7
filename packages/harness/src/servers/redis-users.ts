/**
 * The Redis users of docs/adr/0020 on a test server. Every service uses its own user, so the tests show that its rights
 * suffice. The default user belongs to the tester and may do everything.
 */
import { DEFAULT_USER_OFF, issuerUserLine, renderUsers } from "@quantum/contract";
import { parseRedisUrl, type RedisClient, writeRedisUrl } from "@quantum/redis";
import { SERVICES, userOf } from "@quantum/topology";

/** The same on every test server, because only this machine can reach them. */
export const passwordOf = (user: string) => `${user}-of-test`;

/**
 * The server's ACL file, which replaces `requirepass`.
 *
 * @param hasDefault false: only the named users may log in
 * @param partitions as in PARTITIONS
 */
export function testUsers(requirepass: string | undefined, hasDefault: boolean, partitions: number): string {
  const tester = requirepass === undefined ? "nopass" : `>${requirepass}`;
  const byDefault = hasDefault ? `user default on ${tester} ~* &* +@all` : DEFAULT_USER_OFF;
  return renderUsers((user) => `>${passwordOf(user)}`, [byDefault], partitions);
}

/** The same Redis, for another user. */
export function urlOfUser(url: string, user: string): string {
  return writeRedisUrl({ ...parseRedisUrl(url), user, password: passwordOf(user) });
}

/** A service's environment with its own user. A URL with a user stays as it is. */
export function underOwnUser(service: string, env: Record<string, string>): Record<string, string> {
  const row = SERVICES.find(({ name }) => name === service);
  const url = env["REDIS_URL"];
  if (row === undefined || url === undefined) return env;
  const { user, password } = parseRedisUrl(url);
  if (user !== undefined || password !== undefined) return env;
  return { ...env, REDIS_URL: urlOfUser(url, userOf(row)) };
}

/** Adds the user of an issuer that has no row in the topology, on this server. @param partitions as in PARTITIONS */
export async function addIssuerUser(redis: RedisClient, issuer: string, partitions: number): Promise<void> {
  const line = issuerUserLine(issuer, `>${passwordOf(issuer)}`, partitions);
  const [, name = "", ...rules] = line.split(" ");
  await redis.acl("SETUSER", name, ...rules);
}
