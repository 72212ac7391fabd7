/** The console's users, as their file says now. */
import { type ConsoleUser, readUsers, UsersFileError } from "@quantum/operator";
import { type FollowedFile, followFile, type Logger } from "@quantum/service-kit";

export interface Users {
  find(name: string): ConsoleUser | undefined;
  /** Nobody can log in. */
  readonly none: boolean;
  problems(): string[];
  stop(): Promise<void>;
}

/** Throws a ConfigError if the file is bad at the start. One that is not there yet has no users. */
export async function followUsers(file: string | undefined, log: Logger): Promise<Users> {
  const followed = file === undefined ? undefined : await follow(file, log);
  const users = () => followed?.current ?? NOBODY;
  return {
    find: (name) => users().get(name),
    get none() {
      return users().size === 0;
    },
    problems: () => followed?.problems() ?? [],
    stop: async () => followed?.stop(),
  };
}

const NOBODY: ReadonlyMap<string, ConsoleUser> = new Map();

function follow(file: string, log: Logger): Promise<FollowedFile<ReadonlyMap<string, ConsoleUser>>> {
  let had = false;
  return followFile({
    variable: "CONSOLE_USERS_FILE",
    file,
    load: async (from) => {
      const users = await readUsers(from);
      // Where users were, a missing file is no decision to show everything to everybody: an empty list would be one.
      if (users === undefined && had) throw new UsersFileError(from, "is gone");
      had ||= users !== undefined && users.length > 0;
      return new Map((users ?? []).map((user) => [user.name, user]));
    },
    what: "the list of users",
    shown: (users) => ({ users: [...users.values()].map(({ name, role }) => `${name} (${role})`) }),
    log,
  });
}

/** Changes with the password: a session goes on only while it is the same. */
export function credentialOf({ password }: ConsoleUser): string {
  return password === undefined ? "" : `${password.salt} ${password.hash}`;
}
