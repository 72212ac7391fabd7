/** The variables that lead to Redis, and what they mean together. */
import { readFileSync } from "node:fs";
import { PARTITIONS_MAX } from "@quantum/contract";
import { parseRedisUrl, type RedisConcern, RedisUrlError, writeRedisUrl } from "@quantum/redis";
import { z } from "zod";
import { ConfigError, integer, optionalText, text } from "./config.ts";

/** What of the URL is wrong, part by part; undefined: nothing is. */
function problemOfUrl(value: string): string | undefined {
  try {
    if (parseRedisUrl(value).kind === "server") return undefined;
    return "scheme: Sentinels and clusters are not supported";
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
    "redis://user@host:port/db; takes precedence over REDIS_HOST, REDIS_PORT and REDIS_DB",
  ),
  REDIS_PASSWORD_FILE: optionalText("file with the password of the user in REDIS_URL"),
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
    const { pathname } = new URL(url);
    return concern === "database" ? `REDIS_URL (its database ${pathname.slice(1)})` : "REDIS_URL";
  }
  if (concern === "database") return `REDIS_DB=${db}`;
  // Only the URL can hold a user and a password.
  if (concern === "credentials" || concern === "rights") return "REDIS_URL";
  return `REDIS_HOST=${host} REDIS_PORT=${port}`;
}

/** @throws {@link ConfigError} if the password's file cannot be read, or has no URL to belong to */
export function redisUrl(config: RedisConfig): string {
  const { REDIS_URL: url, REDIS_PASSWORD_FILE: file } = config;
  if (url === undefined && file === undefined)
    return `redis://${config.REDIS_HOST}:${config.REDIS_PORT}/${config.REDIS_DB}`;
  return withPassword(["REDIS_URL", url], ["REDIS_PASSWORD_FILE", file]);
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
