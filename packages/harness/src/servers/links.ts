/** The users of replicas and Sentinels, and how a server is cut off from them: they lose their rights, and no client does. */
import type { RedisClient } from "@quantum/redis";

export const LINK_PASSWORD = "of-test";
/** What redis.io asks for: docs/latest/operate/oss_and_stack/management/sentinel, "Redis Access Control List". */
const LINKS = {
  replica: ["+psync", "+replconf", "+ping"],
  sentinel:
    "+multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill".split(
      " ",
    ),
} as const;
export type Link = keyof typeof LINKS;

export async function allow(client: RedisClient, link: Link): Promise<void> {
  await client.acl("SETUSER", link, "on", `>${LINK_PASSWORD}`, "allchannels", "-@all", ...LINKS[link]);
}

/** Not by refusing the login: a Sentinel would go on as the default user. */
export async function refuse(client: RedisClient, link: Link): Promise<void> {
  await client.acl("SETUSER", link, "-@all");
  await client.client("KILL", "USER", link);
}
