/** `console user`: who may see the console and change something there. A file, without Redis; passwords are never shown. */
import type { Command } from "commander";
import { Option } from "commander";
import {
  addUser,
  type ConsoleUser,
  hashPassword,
  readUsers,
  removeUser,
  USER_ROLES,
  UsersFileError,
  whyNoPassword,
  whyNoUserName,
} from "@quantum/operator";
import { CommandError, EXIT } from "./exit.ts";
import type { Host } from "./host.ts";
import { table } from "./layout.ts";
import type { Terminal } from "./terminal.ts";

interface UserOptions {
  file?: string;
}

interface AddOptions extends UserOptions {
  role: ConsoleUser["role"];
  /** False with `--no-password`. */
  password: boolean;
}

type Offline = (work: (terminal: Terminal) => Promise<void>) => Promise<void>;

/** The console looks at its file once a second. */
const NOTICED = "A running console knows within two seconds.";

export function addConsoleCommands(program: Command, offline: Offline, env: Host["env"]): void {
  const users = program.command("console").description("the console in the browser").command("user");
  users.description("who may see the console, and change something there");
  const withFile = (command: Command) =>
    command.option("--file <file>", "the file of its users [CONSOLE_USERS_FILE]");
  const run = (options: UserOptions, work: (terminal: Terminal, file: string) => Promise<void>) =>
    offline((terminal) => orTold(() => work(terminal, fileOf(options, env))));

  withFile(users.command("add"))
    .description(
      "make a user, or give one another role and password; asks for the password, or reads it from stdin",
    )
    .argument("<name>")
    .addOption(
      new Option("--role <role>", "what the user may do").choices([...USER_ROLES]).makeOptionMandatory(),
    )
    .option("--no-password", "no login: a reverse proxy names this user")
    .action((name: string, options: AddOptions) =>
      run(options, (terminal, file) => add(terminal, file, name, options)),
    );
  withFile(users.command("list"))
    .description("list the users, without their passwords")
    .action((options: UserOptions) => run(options, list));
  withFile(users.command("remove"))
    .description("remove a user, whose sessions end")
    .argument("<name>")
    .action((name: string, options: UserOptions) =>
      run(options, (terminal, file) => remove(terminal, file, name)),
    );
}

async function add(
  terminal: Terminal,
  file: string,
  name: string,
  { role, password }: AddOptions,
): Promise<void> {
  const why = whyNoUserName(name);
  if (why !== undefined) throw new CommandError(EXIT.usage, why);
  const user: ConsoleUser = {
    name,
    role,
    ...(password && { password: await hashPassword(await newPassword(terminal)) }),
  };
  const done = await addUser(file, user);
  terminal.print({ user: name, role, password, done }, [
    done === "added"
      ? `${name} is a user of the console, with the role ${role}.`
      : `${name} has the role ${role} now${password ? ", and another password: the sessions with the old one end" : ", and no password"}.`,
    ...(password ? [] : ["There is no login: the proxy of CONSOLE_PROXY_USER_HEADER names this user."]),
    NOTICED,
  ]);
}

async function newPassword(terminal: Terminal): Promise<string> {
  const password = await terminal.askNewSecret("Password").catch((error: Error) => {
    if (error.name !== "AbortError") throw error;
    throw new CommandError(EXIT.no, "interrupted; nothing was changed");
  });
  const why = password === undefined ? "the two differ" : whyNoPassword(password);
  if (password === undefined || why !== undefined)
    throw new CommandError(EXIT.usage, `this is no password: ${why}; nothing was changed`);
  return password;
}

async function list(terminal: Terminal, file: string): Promise<void> {
  const users = (await readUsers(file)) ?? [];
  const rows = users.map(({ name, role, password }) => ({ name, role, login: password !== undefined }));
  terminal.print(
    rows,
    rows.length === 0
      ? [`${file} has no users.`]
      : table([
          ["user", "role", "login"],
          ...rows.map(({ name, role, login }) => [name, role, login ? "by password" : "by proxy alone"]),
        ]),
  );
  if (rows.length === 0) throw new CommandError(EXIT.no, "");
}

async function remove(terminal: Terminal, file: string, name: string): Promise<void> {
  if (!(await removeUser(file, name))) throw new CommandError(EXIT.no, `${file} has no user ${name}`);
  terminal.print({ user: name, done: "removed" }, [`${name} is no user of the console any more.`, NOTICED]);
}

function fileOf({ file }: UserOptions, env: Host["env"]): string {
  const named = file ?? env["CONSOLE_USERS_FILE"];
  if (named === undefined || named === "")
    throw new CommandError(
      EXIT.usage,
      "which file? --file FILE, or CONSOLE_USERS_FILE: the console's own variable",
    );
  return named;
}

async function orTold(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof UsersFileError) throw new CommandError(EXIT.no, error.message);
    throw error;
  }
}
