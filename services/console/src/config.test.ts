import { violationsOf } from "@quantum/harness";
import { readConfig } from "@quantum/service-kit";
import { describe, expect, it } from "vitest";
import { configSource, isLocal, originsOf } from "./config.ts";

const read = (environment: Record<string, string>) => readConfig(configSource, environment).config;
const violations = (environment: Record<string, string>) => violationsOf(() => read(environment));

describe("the console's configuration", () => {
  it("is at 8050 of this machine by default, under both its names", () => {
    const config = read({});
    expect(config).toMatchObject({ CONSOLE_PORT: 8050, HTTP_HOST: "127.0.0.1" });
    const origins = originsOf(config, "http://127.0.0.1:8050");
    expect(origins).toEqual(["http://127.0.0.1:8050", "http://localhost:8050"]);
    expect(isLocal(config, origins)).toBe(true);
    expect(originsOf(config, "http://127.0.0.1:80")).toEqual(["http://127.0.0.1", "http://localhost"]);
  });

  it.each([
    { HTTP_HOST: "0.0.0.0" },
    { HTTP_HOST: "::" },
    { HTTP_HOST: "192.0.2.1" },
    { CONSOLE_PROXIES: "127.0.0.1" },
    { CONSOLE_ORIGINS: "http://127.0.0.1:8050,https://console.example.com" },
    { CONSOLE_ORIGINS: "http://localhost.evil.example" },
  ])("with %o is not for this machine alone", (environment: Record<string, string>) => {
    const config = read(environment);
    expect(isLocal(config, originsOf(config, "http://127.0.0.1:8050"))).toBe(false);
  });

  it.each([
    { CONSOLE_ORIGINS: "https://console.example.com/" },
    { CONSOLE_ORIGINS: "console.example.com" },
    { CONSOLE_ORIGINS: "https://Console.example.com" },
    { CONSOLE_ORIGINS: "https://console.example.com:443" },
    { CONSOLE_ORIGINS: "*" },
    { CONSOLE_ORIGINS: "null" },
    { CONSOLE_SERVICE_URLS: "http://governor:8044,governor" },
    { CONSOLE_PROXIES: "proxy.example.com" },
    { CONSOLE_PROXIES: "127.0.0.0/8" },
    { CONSOLE_OPERATOR_REDIS_URL: "http://redis" },
  ])("refuses %o", (environment: Record<string, string>) => {
    expect(violations(environment)).toEqual([
      expect.stringMatching(new RegExp(`^${Object.keys(environment)[0]}=`)),
    ]);
  });

  it("refuses a header that anybody may send, or that nobody is believed with", () => {
    const rest = { CONSOLE_PROXIES: "127.0.0.1", CONSOLE_USERS_FILE: "users.json" };
    for (const name of ["Host", "Cookie", "X-Forwarded-For", "X Console User", "Authorization"])
      expect(violations({ ...rest, CONSOLE_PROXY_USER_HEADER: name })).toHaveLength(1);
    expect(violations({ ...rest, CONSOLE_PROXY_USER_HEADER: "X-Console-User" })).toEqual([]);
    expect(violations({ CONSOLE_PROXY_USER_HEADER: "X-Console-User" })).toHaveLength(2);
    expect(violations({ CONSOLE_OPERATOR_REDIS_PASSWORD_FILE: "password" })).toHaveLength(1);
  });
});
