/** The console of a rig as operators use it: a service with two users of its page, and their visits in a browser. */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { freePort, urlOfUser } from "@quantum/harness";
import type { Rig } from "@quantum/harness/rig";
import { afterEach } from "vitest";
import type { BrowserContext, Locator, Page } from "playwright-core";
import { expectAccessible, expectFits, expectQuiet, type Guard, type Looks, openBrowser } from "./browser.ts";
import { BUTTONS, DIALOG, LOGIN, NAVIGATION, REGIONS, type Screen, SCREENS } from "./names.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Each as the role that the name says. */
export type User = "operator" | "viewer";
export const PASSWORDS: Readonly<Record<User, string>> = {
  operator: "correct horse battery staple",
  viewer: "only looking, never touching",
};

/** Where screenshots go; without it none are taken. */
const SHOTS = process.env["SCREENSHOTS"];
/** What the pages show when a test fails. */
const FAILURES = ".cache/browser";
/** They are part of the repository. */
const SHOT_BYTES_MAX = 250_000;

export type TestConsole = Awaited<ReturnType<typeof openConsole>>;

export async function openConsole(rig: Rig) {
  const users = join(rig.redis.dir, "console-users.json");
  for (const [name, password] of Object.entries(PASSWORDS)) await addUser(users, name, password);
  const service = await rig.start("console", {
    CONSOLE_PORT: String(await freePort()),
    CONSOLE_USERS_FILE: users,
    CONSOLE_OPERATOR_REDIS_URL: urlOfUser(rig.redis.url, "operator"),
  });
  const browser = await openBrowser();
  const visits = new Set<Visit>();
  return {
    service,
    url: service.url,
    outside: browser.outside,
    async visit(looks: Partial<Looks> = {}): Promise<Visit> {
      const known = { size: "wide", colours: "light", ...looks } as const;
      const { context, guard } = await browser.newContext(known, service.url);
      const visit = new Visit(context, await context.newPage(), guard, known);
      visits.add(visit);
      return visit;
    },
    /** A visit of one who has logged in. */
    async visitAs(user: User, looks: Partial<Looks> = {}): Promise<Visit> {
      const visit = await this.visit(looks);
      const headers = { origin: service.url };
      const answer = await visit.context.request.post("/api/login", {
        data: { user, password: PASSWORDS[user] },
        headers,
      });
      if (!answer.ok()) throw new Error(`login: ${answer.status()} ${await answer.text()}`);
      return visit;
    },
    /** @param test whose name the files get */
    async shootAll(test: string): Promise<void> {
      await mkdir(join(ROOT, FAILURES), { recursive: true });
      const name = test.replaceAll(/[^a-z0-9]+/gi, "-").slice(0, 80);
      for (const [no, { page }] of [...visits].entries())
        await page.screenshot({ path: join(ROOT, FAILURES, `${name}-${no + 1}.png`) }).catch(() => undefined);
    },
    async close(): Promise<void> {
      await browser.close();
    },
  };
}

/** A test that fails leaves pictures of its pages in {@link FAILURES}. */
export function keepFailures(console: () => TestConsole | undefined): void {
  afterEach(async ({ task }) => {
    if (task.result?.state === "fail") await console()?.shootAll(`${task.suite?.name ?? ""} ${task.name}`);
  });
}

/** Waits for it. */
export async function isShown(locator: Locator): Promise<boolean> {
  await locator.first().waitFor();
  return true;
}

/** As the operator of a new host does it. */
async function addUser(file: string, name: string, password: string): Promise<void> {
  const child = spawn(
    process.execPath,
    ["scripts/permitctl.mjs", "console", "user", "add", name, "--role", name],
    { cwd: ROOT, env: { PATH: process.env["PATH"] ?? "", CONSOLE_USERS_FILE: file }, stdio: "pipe" },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (output += String(text)));
  child.stdin.end(`${password}\n`);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`permitctl console user add: ${output}`);
}

/** A page in a browser of its own: its cookies are no other visit's. */
export class Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly guard: Guard;
  readonly #looks: Looks;

  constructor(context: BrowserContext, page: Page, guard: Guard, looks: Looks) {
    this.context = context;
    this.page = page;
    this.guard = guard;
    this.#looks = looks;
  }

  /** Once its heading is shown. */
  async open(hash: string, heading: string): Promise<void> {
    await this.page.goto(`/${hash}`);
    await this.page.getByRole("heading", { level: 1, name: heading }).waitFor();
  }

  async openScreen(screen: Screen): Promise<void> {
    await this.open(SCREENS[screen], screen);
  }

  /** By the links that people click. */
  async click(screen: Screen): Promise<void> {
    const links = this.page.getByRole("navigation", { name: NAVIGATION, exact: true });
    await links.getByRole("link", { name: screen }).click();
    await this.page.getByRole("heading", { level: 1, name: screen }).waitFor();
  }

  async logIn(user: string, password: string): Promise<void> {
    await this.page.getByLabel(LOGIN.user).fill(user);
    await this.page.getByLabel(LOGIN.password).fill(password);
    await this.page.getByRole("button", { name: LOGIN.submit }).click();
  }

  region(name: keyof typeof REGIONS): Locator {
    // Its table may have the same name; some are alerts, too.
    return this.page.getByLabel(REGIONS[name], { exact: true }).first();
  }

  button(name: keyof typeof BUTTONS): Locator {
    return this.page.getByRole("button", { name: BUTTONS[name], exact: true });
  }

  /** The dialog that a button has opened. */
  dialog() {
    const dialog = this.page.getByRole("dialog");
    return {
      dialog,
      reason: dialog.getByLabel(DIALOG.reason),
      submit: dialog.locator("button:not([type=button])"),
      cancel: dialog.getByRole("button", { name: DIALOG.cancel }),
    };
  }

  /** What holds on every screen, in every state. */
  async expectSound(where: string): Promise<void> {
    const { size, colours } = this.#looks;
    const named = `${where}, ${size}, ${colours}`;
    await expectFits(this.page, named);
    await expectAccessible(this.page, named);
    expectQuiet(this.guard, named);
  }

  /** For the documents, where they are asked for. */
  async shoot(name: string): Promise<void> {
    if (SHOTS === undefined) return;
    const file = join(ROOT, SHOTS, `console-${name}.png`);
    await mkdir(join(ROOT, SHOTS), { recursive: true });
    await writeFile(file, await this.page.screenshot({ animations: "disabled", caret: "hide" }));
    const { size } = await stat(file);
    if (size > SHOT_BYTES_MAX) throw new Error(`${file} has ${size} bytes`);
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}
