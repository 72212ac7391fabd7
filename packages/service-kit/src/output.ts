/**
 * The only way to stdout and stderr for text that people read (tests/tidy.test.ts forbids others). A line always
 * appears as one line of visible characters, so text from Redis or the exchange can neither control the terminal nor
 * fake a line of its own. Styles are the only control sequences, and only Output writes them.
 */
import { createInterface } from "node:readline/promises";
import { type Readable, Writable } from "node:stream";
import { styleText } from "node:util";
import { escapeControls } from "@quantum/contract";

export type Style = "red" | "yellow" | "green" | "dim" | "bold";

export interface Styled {
  readonly style: Style;
  readonly text: string;
}

export type Line = string | Styled | readonly (string | Styled)[];

export function styled(style: Style, text: string): Styled {
  return { style, text };
}

/** A line with styled parts: spans`kill switch ${styled("red", "ON")}`. */
export function spans(texts: readonly string[], ...values: readonly (string | Styled)[]): Line {
  return texts.flatMap((text, index) => [text, values[index] ?? ""]);
}

type Stream = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** Of a terminal, in characters. */
export interface Size {
  columns: number;
  rows: number;
}

/** How much may wait for a stalled reader, such as a pager. No command prints more. */
const UNREAD_MAX_BYTES = 4 * 2 ** 20;

const CLEAR_LINE = "\r\x1b[2K";
const HOME = "\x1b[H";
const CLEAR_REST_OF_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";
/** A line that is wider than the terminal ends at its edge. */
const WRAP_OFF = "\x1b[?7l";
const WRAP_ON = "\x1b[?7h";

export class Output {
  readonly #stream: Stream;
  readonly #closed = new AbortController();
  /** The status shown below the last line, on a terminal. */
  #status = "";
  /** Lines dropped because nobody reads the output. */
  #dropped = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
    stream.on("error", (error) => this.#closed.abort(error));
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  /** Aborts when writing is no longer possible; the reason is the stream's error. Later lines are dropped. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /**
   * Resolves when the reader has everything or the output is closed. Await it before `process.exit`, which drops the
   * rest.
   */
  async written(): Promise<void> {
    await new Promise<void>((resolve) => this.#stream.write("", () => resolve()));
  }

  line(line: Line): void {
    this.lines([line]);
  }

  lines(lines: readonly Line[]): void {
    const text = lines.map((line) => `${this.#render(line)}\n`).join("");
    this.#write(this.isTerminal && this.#status !== "" ? `${CLEAR_LINE}${text}${this.#status}` : text);
  }

  /** Prints our own text of several lines, such as a help page. It must not contain outside text. */
  block(text: string): void {
    this.lines(text.replace(/\n$/, "").split("\n"));
  }

  json(value: unknown): void {
    this.#write(`${escapeControls(JSON.stringify(value))}\n`);
  }

  /** Replaces the status below the last line of a terminal; "" removes it. */
  status(line: Line): void {
    this.#status = this.#render(line);
    this.#write(`${CLEAR_LINE}${this.#status}`);
  }

  /** Undefined elsewhere than on a terminal, or where it does not tell. */
  get size(): Size | undefined {
    const { columns = 0, rows = 0 } = this.#stream;
    return this.isTerminal && columns > 0 && rows > 0 ? { columns, rows } : undefined;
  }

  /** @returns what ends the calls */
  onResize(listener: () => void): () => void {
    this.#stream.on("resize", listener);
    return () => void this.#stream.off("resize", listener);
  }

  /**
   * On a terminal, shows the lines from its top on, in place of all that was there. Drawn over the last ones instead of
   * after clearing them, so that nothing flickers.
   */
  screen(lines: readonly Line[]): void {
    const drawn = lines.map((line) => `${this.#render(line)}${CLEAR_REST_OF_LINE}\n`).join("");
    this.#write(`${WRAP_OFF}${HOME}${drawn}${CLEAR_BELOW}${WRAP_ON}`);
  }

  async ask(input: Readable, question: string): Promise<string> {
    const lines = createInterface({ input, output: this.#stream });
    try {
      return (await lines.question(escapeControls(question))).trim();
    } finally {
      lines.close();
    }
  }

  /** Asks on a terminal without showing what is typed. An interrupt rejects. */
  async askSecrets(input: Readable, questions: readonly string[]): Promise<string[]> {
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    // With `terminal`, readline echoes instead of the terminal, to `output`: from before the first question to the end.
    const lines = createInterface({ input, output: nowhere, terminal: true });
    const interrupted = new AbortController();
    lines.on("SIGINT", () => interrupted.abort());
    const answers: string[] = [];
    try {
      for (const question of questions) {
        this.#write(escapeControls(question));
        answers.push(await lines.question("", { signal: interrupted.signal }));
        this.#write("\n");
      }
      return answers;
    } finally {
      lines.close();
    }
  }

  #render(line: Line): string {
    const parts = typeof line === "string" || "style" in line ? [line] : line;
    return parts
      .map((part) => {
        if (typeof part === "string") return escapeControls(part);
        const text = escapeControls(part.text);
        return text === "" ? "" : styleText(part.style, text, { stream: this.#stream });
      })
      .join("");
  }

  #write(text: string): void {
    if (text === "" || this.closed.aborted) return;
    if (this.#stream.writableLength <= UNREAD_MAX_BYTES) {
      this.#stream.write(text);
      return;
    }
    if (this.#dropped === 0) this.#stream.once("drain", () => this.#sayDropped());
    this.#dropped += text.split("\n").length - 1;
  }

  #sayDropped(): void {
    const count = this.#dropped;
    this.#dropped = 0;
    this.line(`${count} lines dropped: nobody read this output for a while`);
  }
}

/** Created on first use, because a service logs to the same descriptor in its own way. */
const standard = new Map<"stdout" | "stderr", Output>();

export function standardOutput(name: "stdout" | "stderr" = "stdout"): Output {
  const output = standard.get(name) ?? new Output(process[name]);
  standard.set(name, output);
  return output;
}

/** Receives commander's help and error messages. */
export const commanderOutput = {
  writeOut: (text: string) => standardOutput().block(text),
  writeErr: (text: string) => standardOutput("stderr").block(text),
};

/**
 * Whether the output closed because its reader exited, as `head` does; not a failure of ours. EIO: the terminal is
 * gone.
 */
export function isReaderGone({ reason }: AbortSignal): boolean {
  const { code } = (reason ?? {}) as NodeJS.ErrnoException;
  return code === "EPIPE" || code === "EIO";
}
