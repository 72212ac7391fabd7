/** The variables that lead to Redis, and what they mean together. */
import { readFileSync } from "node:fs";
import { PARTITIONS_MAX } from "@quantum/contract";
import { parseRedisUrl, type RedisConcern, RedisUrlError, writeRedisUrl } from "@quantum/redis";
import { z } from "zod";
import { ConfigError, integer, optionalText, text } from "./config.ts";

/** What of the URL is wrong, part by part; undefined: nothing is. */
function problemOfUrl(value: string): string | undefined {
  try {
    parseRedisUrl(value);
    return undefined;
  } catch (error) {
    if (error instanceof RedisUrlError) return error.message;
    throw error;
  }
}

export const redisUrlVariable = (meaning: string) =>
  z
    .string()
    .superRefine((value, context) => {
      const problem = problemOfUrl(value);
      if (problem !== undefined) context.addIssue(`must be a URL such as redis://host:port/db (${problem})`);
    })
    .optional()
    .describe(meaning);

/** Variables of every service that uses Redis. */
export const redisVariables = {
  REDIS_URL: redisUrlVariable(
    "redis://user@host:port/db; by Sentinels redis+sentinel://user@host:port,…/name/db; a cluster redis+cluster://user@host:port,…; with TLS rediss…; takes precedence over REDIS_HOST, REDIS_PORT and REDIS_DB",
  ),
  REDIS_PASSWORD_FILE: optionalText("file with the password of the user in REDIS_URL"),
  REDIS_SENTINEL_PASSWORD_FILE: optionalText(
    "file with the password of the Sentinels, for sentinel_user or their default user",
  ),
  REDIS_HOST: text("Redis host", "localhost"),
  REDIS_PORT: integer("Redis port", 6379, { min: 1, max: 65_535 }),
  REDIS_DB: integer("Redis database", 0, { max: 1_023 }),
  PARTITIONS: integer("parts into which symbols and their keys are divided", 1, {
    min: 1,
    max: PARTITIONS_MAX,
  }),
};

export interface RedisConfig {
  REDIS_URL?: string | undefined;
  REDIS_PASSWORD_FILE?: string | undefined;
  REDIS_SENTINEL_PASSWORD_FILE?: string | undefined;
  REDIS_HOST: string;
  REDIS_PORT: number;
  REDIS_DB: number;
}

/** The variable to change when Redis refuses a connection for this reason. */
export function redisVariable(
  { REDIS_URL: url, REDIS_HOST: host, REDIS_PORT: port, REDIS_DB: db }: RedisConfig,
  concern: RedisConcern,
): string {
  if (url !== undefined) {
    const parsed = parseRedisUrl(url);
    return concern === "database" && "database" in parsed
      ? `REDIS_URL (its database ${parsed.database})`
      : "REDIS_URL";
  }
  if (concern === "database") return `REDIS_DB=${db}`;
  // Only the URL can hold a user and a password.
  if (concern === "credentials" || concern === "rights") return "REDIS_URL";
  return `REDIS_HOST=${host} REDIS_PORT=${port}`;
}

/** Rules between the variables. */
export function redisRelations({
  REDIS_URL: url,
  PARTITIONS: partitions,
}: RedisConfig & { PARTITIONS: number }): string[] {
  if (partitions > 1 || url === undefined || parseRedisUrl(url).kind !== "cluster") return [];
  return [
    `PARTITIONS=${partitions}: a Redis Cluster runs a script only if all its keys lie in one slot, and with one partition they do not: it takes at least 2`,
  ];
}

/** @throws {@link ConfigError} if a password's file cannot be read, or has no URL to belong to */
export function redisUrl(config: RedisConfig): string {
  const { REDIS_URL: url, REDIS_PASSWORD_FILE: file, REDIS_SENTINEL_PASSWORD_FILE: sentinelFile } = config;
  if (url === undefined && file === undefined && sentinelFile === undefined)
    return `redis://${config.REDIS_HOST}:${config.REDIS_PORT}/${config.REDIS_DB}`;
  const complete = withPassword(["REDIS_URL", url], ["REDIS_PASSWORD_FILE", file]);
  return sentinelFile === undefined ? complete : withSentinelPassword(complete, sentinelFile);
}

function withSentinelPassword(url: string, file: string): string {
  const name = "REDIS_SENTINEL_PASSWORD_FILE";
  const parsed = url === "" ? undefined : parseRedisUrl(url);
  if (parsed?.kind !== "sentinel" || parsed.sentinelPassword !== undefined)
    throw new ConfigError([`${name}: REDIS_URL must be redis+sentinel://…, without sentinel_password`]);
  return writeRedisUrl({ ...parsed, sentinelPassword: passwordIn(name, file) });
}

type Variable = readonly [name: string, value: string | undefined];

/** @throws {@link ConfigError} if the password's file cannot be read, or the URL does not name its user */
export function withPassword([urlName, url = ""]: Variable, [fileName, file]: Variable): string {
  if (file === undefined) return url;
  const parsed = url === "" ? undefined : parseRedisUrl(url);
  if (parsed?.user === undefined || parsed.password !== undefined)
    throw new ConfigError([`${fileName}: ${urlName} must name the user, without a password`]);
  return writeRedisUrl({ ...parsed, password: passwordIn(fileName, file) });
}

function passwordIn(name: string, file: string): string {
  try {
    const password = readFileSync(file, "utf8").trim();
    if (password !== "") return password;
  } catch (error) {
    throw new ConfigError([`${name}=${file}: ${(error as Error).message}`]);
  }
  throw new ConfigError([`${name}=${file}: the file is empty`]);
}
