import { expect, it } from "vitest";
import { hostsOf } from "./cluster-hosts.ts";

it.each([
  [":6381", { host: "redis.example", port: 6381 }],
  ["10.0.0.7:6381", null],
  ["::1:6381", null],
  ["other.example:6381", null],
])("a node that is named %s in an answer is at %j", (node, place) => {
  expect(hostsOf("redis.example")(node)).toEqual(place);
});
