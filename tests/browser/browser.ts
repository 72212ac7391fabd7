/**
 * A real Chromium, and what no page of ours may do in it: ask any other machine, write an error to the console, throw, ask
 * with a dialog of the browser, or be unreadable to a screen reader.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { findChromium, patienceMs } from "@quantum/harness";
import axe from "axe-core";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

/** How long the page may take to show what the server knows, on a busy machine. */
const SHOWN_MS = 10_000;

/** What Chromium asks for on its own behalf, whatever page is open. */
const OF_CHROMIUM = new Set([
  "accounts.google.com",
  "clients2.google.com",
  "content-autofill.googleapis.com",
  "optimizationguide-pa.googleapis.com",
  "update.googleapis.com",
]);

export const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;

export interface Looks {
  size: keyof typeof SIZES;
  colours: "light" | "dark";
}

export type TestBrowser = Awaited<ReturnType<typeof openBrowser>>;

export async function openBrowser() {
  const outside = await catchOutside();
  const browser = await chromium.launch({
    executablePath: await findChromium(),
    // Requests to this machine's own addresses go past a proxy.
    args: [`--proxy-server=http://127.0.0.1:${outside.port}`],
  });
  return {
    async newContext({ size, colours }: Looks, origin: string) {
      const context = await browser.newContext({
        baseURL: origin,
        viewport: SIZES[size],
        colorScheme: colours,
        // What is about to move has no colours that could be measured.
        reducedMotion: "reduce",
        ...(size === "phone" && { isMobile: true, hasTouch: true }),
      });
      context.setDefaultTimeout(patienceMs(SHOWN_MS));
      return { context, guard: new Guard(context, origin) };
    },
    /** What any page, worker or part of the browser wanted from elsewhere. */
    outside: outside.asked,
    async close() {
      await browser.close();
      await outside.close();
    },
  };
}

/**
 * A proxy that answers nothing and remembers what it was asked for. The events of a browser's driver leave out the requests
 * of shared workers; nothing leaves out the proxy.
 */
async function catchOutside() {
  const asked: string[] = [];
  const remember = (url: string) => {
    if (!OF_CHROMIUM.has(new URL(url).hostname)) asked.push(url);
  };
  const server = createServer((request, response) => {
    remember(request.url ?? "");
    response.writeHead(502).end();
  });
  // For https, it is asked for a way to `host:port`.
  server.on("connect", ({ url }, socket) => {
    remember(`https://${url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** What went wrong in the pages of a context. */
export class Guard {
  readonly #problems: string[] = [];
  readonly #expected: RegExp[] = [];

  constructor(context: BrowserContext, origin: string) {
    const problem = (text: string) => void this.#problems.push(text);
    context.on("request", (request) => {
      const url = new URL(request.url());
      if (url.origin !== origin && !["data:", "blob:"].includes(url.protocol))
        problem(`request: ${url.href}`);
    });
    context.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        problem(`${message.type()}: ${message.text()} (${message.location().url})`);
    });
    context.on("weberror", (error) => problem(`thrown: ${String(error.error().stack ?? error.error())}`));
    context.on("dialog", (dialog) => {
      problem(`${dialog.type()} dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    context.on("response", (response) => {
      if (response.status() >= 400) problem(`answer ${response.status()}: ${response.url()}`);
    });
  }

  /** Of a test that brings it about, such as a refused login. */
  expects(problem: RegExp): void {
    this.#expected.push(problem);
  }

  /** What has gone wrong so far, and no test expects. */
  get problems(): readonly string[] {
    return this.#problems.filter((text) => !this.#expected.some((known) => known.test(text)));
  }
}

export function expectQuiet({ problems }: Guard, where: string): void {
  expect(problems, `in ${where}`).toEqual([]);
}

interface Violation {
  id: string;
  impact: string | null;
  nodes: { target: string; summary: string }[];
}

/** No finding of axe that it calls serious or critical: contrast, names, roles, focus. */
export async function expectAccessible(page: Page, where: string): Promise<void> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate<Violation[]>(
    `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations.map(({ id, impact, nodes }) => ({
      id, impact, nodes: nodes.map(({ target, failureSummary }) => ({ target: target.join(" "), summary: failureSummary })),
    })))`,
  );
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(grave, `axe, ${where}`).toEqual([]);
}

/** Nothing is cut off at the right, and nothing has to be scrolled sideways but what scrolls by itself, as wide tables do. */
export async function expectFits(page: Page, where: string): Promise<void> {
  const wide = await page.evaluate<string[]>(`(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth <= clientWidth) return [];
    const out = [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > clientWidth);
    return ["it is " + scrollWidth + " wide", ...out.slice(0, 8).map((one) => one.outerHTML.slice(0, 160))];
  })()`);
  expect(wide, `fits, ${where}`).toEqual([]);
}
