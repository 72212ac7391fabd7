/** Whatever stands in Redis, permitctl answers in words of its own, and writes nothing that a terminal obeys. */
import { fillWithJunk, JUNK } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { expect, it } from "vitest";
import { permitctl } from "./outcomes.fixture.ts";

const KNOWN = { symbol: "BTCUSDT", planId: "67e6da21fa9fe506", entryId: "1769301008977-0" };
const BY = ["--yes", "--reason", "a drill"];
const COMMANDS = [
  ...[["status"], ["explain", KNOWN.planId], ["history"], ["exchange"], ["hold", "list"], ["verify"]],
  ...[
    ["dlq", "list"],
    ["dlq", "show", KNOWN.entryId],
    ["dlq", "requeue", KNOWN.entryId, ...BY],
  ],
  ...[
    ["force", ...BY],
    ["disarm", "clear", ...BY],
    ["exchange", "resume", ...BY],
    ["kill", "off", ...BY],
  ],
];
/** What libraries and Node say, and no operator understands. */
const NOT_OURS = /\[big\.js\]|Cannot |is not a |Invalid time|Unexpected |BigInt|undefined|\[object/;
/** But for the line's end. */
const CONTROLS = /[[\p{Cc}\p{Cf}]--[\n]]/v;

const { server, redis } = await useRedis();

it.each(JUNK)("%j", async (junk) => {
  await redis.flushall();
  await fillWithJunk(redis, KNOWN, junk);
  const problems: string[] = [];
  for (const command of COMMANDS) {
    const { stdout, stderr } = await permitctl(server.url, command);
    if (NOT_OURS.test(stderr)) problems.push(`${command.join(" ")}: ${stderr}`);
    if (CONTROLS.test(stdout + stderr)) problems.push(`${command.join(" ")}: a control character`);
  }
  expect(problems).toEqual([]);
  const { stdout } = await permitctl(server.url, ["status", "--json"]);
  expect(JSON.parse(stdout)).toBeTypeOf("object");
});
