/** Planted bugs of the console: whom it believes, and what browsers get. */
import type { Mutant } from "./mutant.ts";

const CONSOLE = "services/console/src";
const GUARDS = `${CONSOLE}/guards.test.ts`;

export const CONSOLE_MUTANTS: readonly Mutant[] = [
  {
    bug: "the console answers under a name of another site",
    edits: [
      {
        file: `${CONSOLE}/guard.ts`,
        find: "if (ours === undefined)",
        replace: "if (ours === undefined && !SAFE_METHODS.has(request.method))",
      },
    ],
    test: GUARDS,
    only: "a name that is not the console's own",
  },
  {
    bug: "a change without an origin passes",
    edits: [
      {
        file: `${CONSOLE}/guard.ts`,
        find: 'if (changes && !ours.has(request.headers.origin ?? ""))',
        replace: 'if (changes && "origin" in request.headers && !ours.has(request.headers.origin ?? ""))',
      },
    ],
    test: GUARDS,
    only: "without an origin",
  },
  {
    bug: "the token of a change is not compared",
    edits: [
      {
        file: `${CONSOLE}/guard.ts`,
        find: 'if (!isToken(request.headers["x-csrf-token"], visitor.csrf))',
        replace: 'if (!isToken(request.headers["x-csrf-token"] ?? visitor.csrf, visitor.csrf))',
      },
    ],
    test: GUARDS,
    only: "without a token",
  },
  {
    bug: "a viewer may change something",
    edits: [
      {
        file: `${CONSOLE}/guard.ts`,
        find: 'if (why !== "")',
        replace: 'if (why !== "" && visitor.user === undefined)',
      },
    ],
    test: GUARDS,
    only: "of a viewer is refused",
  },
  {
    bug: "anybody may name the user in the proxy's header",
    edits: [
      {
        file: `${CONSOLE}/visitors.ts`,
        find: "if (named !== undefined && !fromProxy)",
        replace: 'if (named === "" && !fromProxy)',
      },
    ],
    test: GUARDS,
    only: "that is none of ours",
  },
  {
    bug: "a browser may make up its address",
    edits: [{ file: `${CONSOLE}/visitors.ts`, find: "hops.findLast(", replace: "hops.find(" }],
    test: GUARDS,
    only: "tells the browser's address",
  },
  {
    bug: "a console behind a proxy shows everything where there are no users",
    edits: [
      {
        file: `${CONSOLE}/config.ts`,
        find: "config.CONSOLE_PROXIES.length === 0 &&",
        replace: "config.CONSOLE_PROXIES.length >= 0 &&",
      },
    ],
    test: GUARDS,
    only: "nothing is shown where there are no users",
  },
  {
    bug: "passwords may be tried for ever",
    edits: [{ file: `${CONSOLE}/login.ts`, find: "if (waitMs > 0) {", replace: "if (waitMs < 0) {" }],
    test: GUARDS,
    only: "is refused without a look",
  },
  {
    bug: "a session outlives its password",
    edits: [
      {
        file: `${CONSOLE}/visitors.ts`,
        find: "if (user !== undefined && credentialOf(user) === session.credential)",
        replace: "if (user !== undefined)",
      },
    ],
    test: `${CONSOLE}/streams.test.ts`,
    only: "ends with its password",
  },
  {
    bug: "an event stream outlives its session",
    edits: [
      {
        file: `${CONSOLE}/event-streams.ts`,
        find: "if (!stream.isWelcome()) this.#end(stream);",
        replace: "stream.isWelcome();",
      },
    ],
    test: `${CONSOLE}/streams.test.ts`,
    only: "ends with its session",
  },
  {
    bug: "a browser that reads too slowly fills the memory",
    edits: [
      {
        file: `${CONSOLE}/event-streams.ts`,
        find: "if (response.writableLength > UNREAD_MAX_BYTES)",
        replace: "if (response.writableLength < 0)",
      },
    ],
    test: `${CONSOLE}/event-streams.test.ts`,
    only: "drops a browser",
  },
  {
    bug: "an action needs no reason",
    edits: [
      {
        file: `${CONSOLE}/actions.ts`,
        find: 'const reason = text.min(1, "a reason is required");',
        replace: "const reason = text;",
      },
    ],
    test: `${CONSOLE}/streams.test.ts`,
    only: "says what it would do",
  },
];
