/** The console of a run, with a user for whoever watches. The run goes on without it. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { addUser, hashPassword } from "@quantum/operator";
import { serviceOf } from "@quantum/topology";
import type { Processes } from "./processes.ts";
import { environmentOf, type Run } from "./profile.ts";

export interface RunConsole {
  url: string;
  user: string;
  /** Made for this run; nothing keeps it but the one line that shows it. */
  password: string;
}

const USER = "operator";
/** 96 bits, as 16 characters. */
const PASSWORD_BYTES = 12;

/** @returns undefined if it did not start; `onProblem` has heard why */
export async function startConsole(
  processes: Processes,
  run: Run,
  serviceUrls: readonly string[],
  onProblem: (text: string) => void,
): Promise<RunConsole | undefined> {
  const password = randomBytes(PASSWORD_BYTES).toString("base64url");
  const usersFile = join(run.dir, "console-users.json");
  try {
    await addUser(usersFile, { name: USER, role: "operator", password: await hashPassword(password) });
    const url = await processes.start("console", {
      ...environmentOf(serviceOf("console"), run),
      CONSOLE_OPERATOR_REDIS_URL: run.redis.urlOf("operator"),
      CONSOLE_USERS_FILE: usersFile,
      // A run's services have free ports, which their names do not tell.
      CONSOLE_SERVICE_URLS: serviceUrls.join(),
    });
    return { url, user: USER, password };
  } catch (error) {
    onProblem(`The run goes on without the console: ${(error as Error).message}`);
    return undefined;
  }
}
