import { expect, it } from "vitest";
import { parseOptions } from "./options.ts";

it.each([
  [[], { minutes: 2, plans: undefined }],
  [["--minutes", "0.5"], { minutes: 0.5, plans: undefined }],
  [["--plans", "20000"], { minutes: undefined, plans: 20_000 }],
  [["--plans", "20000", "--minutes", "3"], { minutes: 3, plans: 20_000 }],
])("%j ends a campaign after %o", (args, ends) => {
  expect(parseOptions(args)).toMatchObject(ends);
});
