/**
 * The Redis users of docs/adr/0020 on a test's server: every service works under its own, so that the suite shows that
 * its rights suffice. The default user may do everything; it is the tester's.
 */
import { renderUsers } from "@quantum/contract";
import { SERVICES, userOf } from "@quantum/topology";

/** The same on every server of a test, which only this machine reaches. */
const passwordOf = (user: string) => `${user}-of-test`;

/** The server's ACL file, which counts in place of `requirepass`. */
export function testUsers(requirepass: string | undefined): string {
  const tester = requirepass === undefined ? "nopass" : `>${requirepass}`;
  return renderUsers((user) => `>${passwordOf(user)}`, [`user default on ${tester} ~* &* +@all`]);
}

/** The same Redis for another user. */
export function urlOfUser(url: string, user: string): string {
  const named = new URL(url);
  named.username = user;
  named.password = passwordOf(user);
  return named.href;
}

/** A service's environment with its own user; a URL that names one stays. */
export function underOwnUser(service: string, env: Record<string, string>): Record<string, string> {
  const row = SERVICES.find(({ name }) => name === service);
  const url = env["REDIS_URL"];
  if (row === undefined || url === undefined || new URL(url).username !== "" || new URL(url).password !== "")
    return env;
  return { ...env, REDIS_URL: urlOfUser(url, userOf(row)) };
}
