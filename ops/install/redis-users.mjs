import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Passwords for all users, and the ACL file that makes Redis know them.
 * @param {string} etc
 * @param {string} partitions as in PARTITIONS
 * @returns the folder of both
 */
export function provideRedisUsers(etc, partitions) {
  const folder = join(etc, "redis");
  const acl = join(folder, "users.acl");
  const before = existsSync(acl) ? readFileSync(acl, "utf8") : undefined;
  mkdirSync(etc, { recursive: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const program = fileURLToPath(new URL("../redis/make-users.sh", import.meta.url));
  execFileSync("sh", [program, partitions, acl, folder], { stdio: ["ignore", "inherit", "pipe"] });
  if (readFileSync(acl, "utf8") !== before) {
    const state = before === undefined ? "is new" : "has changed";
    console.log(`${acl} ${state}: give it to Redis (docs/deployment.md, "Redis users")`);
  }
  return folder;
}
