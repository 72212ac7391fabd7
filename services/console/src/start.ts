/** Puts the console together. Without Redis it says so to those who look, instead of waiting for it. */
import { followEnds, openAccess } from "@quantum/operator";
import {
  type BareContext,
  ConfigError,
  every,
  isTracing,
  redisUrl,
  type Running,
} from "@quantum/service-kit";
import { type ConsoleConfig, isLocal, operatorUrl, originsOf } from "./config.ts";
import { EventStreams } from "./event-streams.ts";
import { ConsoleEvents } from "./events.ts";
import { cookieNameOf } from "./login.ts";
import { LoginAttempts } from "./login-attempts.ts";
import { Present, problemText } from "./present.ts";
import { addConsole } from "./server.ts";
import { Sessions } from "./sessions.ts";
import { observe } from "./telemetry.ts";
import { followUsers } from "./users.ts";
import { type Visitor, Visitors } from "./visitors.ts";

const FOLLOW_AGAIN_MS = 1_000;
/** A change of the number of partitions is shown within this time. */
const COMPARE_MS = 1_000;

export type ConsoleContext = Pick<
  BareContext<ConsoleConfig>,
  "config" | "log" | "registry" | "http" | "url" | "instance"
>;

export async function startConsole(context: ConsoleContext): Promise<Running> {
  const { config, log, registry, http, url, instance } = context;
  const [viewerUrl, changesUrl, users] = await allOf(
    Promise.try(() => redisUrl(config)),
    Promise.try(() => operatorUrl(config)),
    followUsers(config.CONSOLE_USERS_FILE, log),
  );
  const viewer = openAccess({ url: viewerUrl, name: `${instance}:viewer` });
  const { access } = viewer;
  // Who looks first is told what is there. Without Redis this ends at once, and is done again later.
  await viewer.start().catch(() => undefined);
  const origins = originsOf(config, url);
  const cookieName = cookieNameOf(origins);
  const sessions = new Sessions();
  const visitors = new Visitors({
    users,
    sessions,
    cookieName,
    proxies: config.CONSOLE_PROXIES,
    userHeader: config.CONSOLE_PROXY_USER_HEADER,
    isLocal: isLocal(config, origins),
  });
  const events = new ConsoleEvents();
  const present = new Present(access, events, config.CONSOLE_SERVICE_URLS);
  const streams = new EventStreams(present, events);
  observe({ events, streams, registry, log });
  await addConsole(http, {
    ...{ access, present, streams, visitors, origins, users, sessions, cookieName, instance, events },
    attempts: new LoginAttempts(),
    isTraced: isTracing(config),
    serviceUrls: config.CONSOLE_SERVICE_URLS,
    redisUrl: changesUrl,
    whyNoActions: (visitor) =>
      whyNoActions(visitor, { hasUsers: !users.none, canChange: changesUrl !== undefined }),
  });
  const stopping = new AbortController();
  const tasks: ReturnType<typeof every>[] = [];
  return {
    begin: async () => {
      const follow = async () => {
        await viewer.start();
        await followEnds(access, present.memory.tally, (rows) => streams.tellEnded(rows), stopping.signal);
      };
      let known: number | undefined;
      const compare = async () => {
        await viewer.start();
        const { length: partitions } = access.partitions.all;
        if (known !== undefined && known !== partitions)
          log.info({ before: known, partitions }, "the number of partitions has been changed, following it");
        known = partitions;
      };
      tasks.push(
        every(FOLLOW_AGAIN_MS, follow, (error) =>
          log.debug({ err: error }, "the streams cannot be followed, trying again"),
        ),
        every(COMPARE_MS, compare, (error) =>
          log.debug({ err: error }, "how many partitions there are is not known, asking again"),
        ),
      );
    },
    readiness: async () => {
      const problem = await Promise.try(() =>
        Promise.all(access.partitions.map(({ redis }) => redis.ping())),
      ).then(
        () => undefined,
        (error: unknown) => problemText(error, access),
      );
      return [...(problem === undefined ? [] : [`Redis: ${problem}`]), ...users.problems()];
    },
    stop: async () => {
      stopping.abort();
      await Promise.all([...tasks.map((task) => task.stop()), streams.stop(), users.stop()]);
      await viewer.close();
    },
  };
}

/** Throws one ConfigError for everything that is wrong: whoever corrects it starts once more, and not once for each file. */
async function allOf<T extends unknown[]>(...reading: { [At in keyof T]: Promise<T[At]> }): Promise<T> {
  const outcomes = await Promise.allSettled(reading);
  const failures = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
  const violations = failures.flatMap((failure) => {
    if (failure instanceof ConfigError) return failure.violations;
    throw failure;
  });
  if (violations.length > 0) throw new ConfigError(violations);
  return Promise.all(reading);
}

/** An operator's text; "" if this visitor can change something. */
function whyNoActions(
  { user, role }: Visitor,
  { hasUsers, canChange }: { hasUsers: boolean; canChange: boolean },
): string {
  if (!canChange)
    return "This console changes nothing: CONSOLE_OPERATOR_REDIS_URL names no Redis user for changes. Use permitctl, or set it.";
  if (!hasUsers)
    return "Everybody may look, and nobody change anything: there is no user. permitctl console user add NAME --role operator --file FILE makes one (FILE is the console's CONSOLE_USERS_FILE).";
  if (user === undefined) return "Log in to change something.";
  return role === "operator"
    ? ""
    : `${user} may look and change nothing: another operator changes that with permitctl console user add.`;
}
