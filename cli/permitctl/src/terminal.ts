/** A command's output: text for people, or JSON. */
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { escapeControls } from "@quantum/contract";
import type { Line } from "@quantum/service-kit";
import type { Host } from "./host.ts";

export interface Terminal {
  readonly json: boolean;
  /** Whether questions can be asked. */
  readonly interactive: boolean;
  /** Prints one of two forms of the same answer. */
  print(data: unknown, lines: readonly Line[]): void;
  /** Prints what happens on the way to an answer; nothing in JSON. */
  note(line: Line): void;
  /** Clears the screen, on a terminal. */
  clear(): void;
  ask(question: string): Promise<string>;
  /** Asks twice without showing what is typed; elsewhere than on a terminal, reads stdin. Undefined: the two differ. */
  askNewSecret(what: string): Promise<string | undefined>;
}

export function createTerminal({ stdin, stdout }: Host, json: boolean): Terminal {
  return {
    json,
    interactive: !json && stdin.isTTY === true && stdout.isTerminal,
    print(data, lines) {
      if (json) stdout.json(data);
      else stdout.lines(lines);
    },
    note(line) {
      if (!json) stdout.line(line);
    },
    clear() {
      if (!json) stdout.clear();
    },
    ask: (question) => stdout.ask(stdin, question),
    askNewSecret: async (what) => {
      if (stdin.isTTY !== true) return lineOf(stdin);
      const [first, second] = await stdout.askSecrets(stdin, [`${what}: `, `${what}, again: `]);
      return first === second ? first : undefined;
    },
  };
}

/** Without the line's end. */
async function lineOf(input: Readable): Promise<string> {
  return (await text(input)).replace(/\r?\n$/, "");
}

/** Aligns columns to their widest cell. The first row is the heading. */
export function table(cells: readonly (readonly string[])[]): string[] {
  // Escape before measuring.
  const rows = cells.map((row) => row.map(escapeControls));
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  return rows.map((row) =>
    `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd(),
  );
}
