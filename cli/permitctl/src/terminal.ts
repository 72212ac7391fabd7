/** A command's output: text for people, or JSON. */
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Line, Size } from "@quantum/service-kit";
import type { Host } from "./host.ts";

export interface Terminal {
  readonly json: boolean;
  /** Whether questions can be asked. */
  readonly interactive: boolean;
  /** Of the window; undefined where there is none, and in JSON. */
  readonly size: Size | undefined;
  /** Prints one of two forms of the same answer. */
  print(data: unknown, lines: readonly Line[]): void;
  /** Prints what happens on the way to an answer; nothing in JSON. */
  note(line: Line): void;
  /** Tells people something beside the answer, which may be JSON or be read by a program. */
  remark(line: Line): void;
  /** Shows the lines in place of all that the window shows. */
  screen(lines: readonly Line[]): void;
  /** @returns what ends the calls */
  onResize(listener: () => void): () => void;
  ask(question: string): Promise<string>;
  /** Asks twice without showing what is typed; elsewhere than on a terminal, reads stdin. Undefined: the two differ. */
  askNewSecret(what: string): Promise<string | undefined>;
}

export function createTerminal({ stdin, stdout, stderr }: Host, json: boolean): Terminal {
  return {
    json,
    interactive: !json && stdin.isTTY === true && stdout.isTerminal,
    get size() {
      return json ? undefined : stdout.size;
    },
    print(data, lines) {
      if (json) stdout.json(data);
      else stdout.lines(lines);
    },
    note(line) {
      if (!json) stdout.line(line);
    },
    remark(line) {
      stderr.line(line);
    },
    screen: (lines) => stdout.screen(lines),
    onResize: (listener) => stdout.onResize(listener),
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
