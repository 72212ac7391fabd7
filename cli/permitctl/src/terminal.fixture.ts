/** permitctl on a real terminal of a given size, which script(1) makes, and what its screen shows. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { eventually, shellWord } from "@quantum/harness";
import stringWidth from "string-width";

const ROOT = join(import.meta.dirname, "../../..");
const PATIENCE_MS = 15_000;
const CTRL_C = "\x03";
/** How a screen that is drawn again begins: without wrapping, at the top left. */
const FRAME = "\x1b[?7l\x1b[H";

export const NO_TERMINAL = spawnSync("script", ["--version"]).status !== 0;

export interface Window {
  columns: number;
  rows: number;
}

/** Two that operators have: a plain terminal, and a large one. */
export const WINDOWS: readonly Window[] = [
  { columns: 80, rows: 24 },
  { columns: 120, rows: 45 },
];

export type OnTerminal = ReturnType<typeof onTerminal>;

/** Runs permitctl until it ends or is interrupted. @param env of the process, beside what a terminal needs */
export function onTerminal(args: readonly string[], env: Record<string, string>, window: Window) {
  const command = [process.execPath, "scripts/permitctl.mjs", ...args].map(shellWord).join(" ");
  const child = spawn("script", ["-qec", `tty; ${sizeOf(window)}; exec ${command}`, "/dev/null"], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", TERM: "xterm", ...env },
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, "close").then(([code]) => code as number | null);
  const size = { ...window };
  /** Without the line of tty(1). */
  const shown = () => output.slice(output.indexOf("\n") + 1);
  let resizedAt: number | undefined;
  const screen = () => {
    const text = shown();
    return screenOf(resizedAt === undefined ? text : text.slice(secondFrameFrom(text, resizedAt)), size);
  };
  return {
    /** All that was written, with its control sequences. */
    shown,
    screen,
    /** The screen, once it satisfies the condition. */
    until: (condition: (screen: Screen) => boolean, what: string) =>
      eventually(
        async () => (condition(screen()) ? screen() : undefined),
        PATIENCE_MS,
        `the screen shows ${what}`,
      ).catch((error: Error) => {
        throw new Error(`${error.message}; it shows:\n${screen().lines.join("\n")}`);
      }),
    /** As a window that is pulled to another size. Its screen is then what is drawn for that size. */
    resize: (to: Window) => {
      Object.assign(size, to);
      resizedAt = shown().length;
      const device = output.split("\r\n", 1)[0] ?? "";
      spawnSync("sh", ["-c", `${sizeOf(to)} -F ${shellWord(device)}`]);
    },
    type: (text: string) => child.stdin.write(text),
    interrupt: () => child.stdin.write(CTRL_C),
    exited,
  };
}

/** The first may have been drawn before the new size was known. */
function secondFrameFrom(text: string, from: number): number {
  const first = text.indexOf(FRAME, from);
  const second = first < 0 ? first : text.indexOf(FRAME, first + FRAME.length);
  return second < 0 ? text.length : second;
}

function sizeOf({ columns, rows }: Window): string {
  return `stty cols ${columns} rows ${rows}`;
}

export interface Screen {
  lines: string[];
  /** Lines that the window has lost at its top. */
  scrolled: number;
  /** Lines that did not fit beside each other. */
  wrapped: number;
}

const ESCAPE = "\x1b";
/** A control sequence, or a character. */
const PIECE = new RegExp(`${ESCAPE}\\[([?\\d;]*[A-Za-z])|([\\s\\S])`, "gu");

/** What a terminal of this size shows after it was sent `text`, as far as permitctl uses a terminal. */
export function screenOf(text: string, { columns, rows }: Window): Screen {
  let lines: string[] = [""];
  let row = 0;
  let column = 0;
  let wraps = true;
  let scrolled = 0;
  let wrapped = 0;
  const down = () => {
    row += 1;
    if (row === rows) {
      lines.shift();
      row -= 1;
      scrolled += 1;
    }
    lines[row] ??= "";
  };
  const put = (character: string) => {
    const width = stringWidth(character);
    if (column + width > columns) {
      if (!wraps) return;
      wrapped += 1;
      column = 0;
      down();
    }
    // Only whole lines are drawn over, from their beginning.
    lines[row] =
      (lines[row] ?? "").slice(0, column).padEnd(column) + character + (lines[row] ?? "").slice(column + 1);
    column += width;
  };
  for (const [, sequence, character] of text.matchAll(PIECE)) {
    if (sequence === "H") [row, column] = [0, 0];
    else if (sequence === "K") lines[row] = (lines[row] ?? "").slice(0, column);
    else if (sequence === "J") lines = [...lines.slice(0, row), (lines[row] ?? "").slice(0, column)];
    else if (sequence === "?7l") wraps = false;
    else if (sequence === "?7h") wraps = true;
    else if (character === "\n") down();
    else if (character === "\r") column = 0;
    else if (character !== undefined) put(character);
  }
  return { lines, scrolled, wrapped };
}
