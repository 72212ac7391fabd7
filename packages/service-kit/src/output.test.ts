import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { shownRecord } from "./log-output.ts";
import { isReaderGone, Output, spans, styled } from "./output.ts";

const OWNED = "\u001b]0;owned\u0007\u001b[2J\r\n[PERMIT_WAIT] OK plan=0123456789abcdef wait_ms=1";

function outputTo(isTTY: boolean, fail?: NodeJS.ErrnoException) {
  let text = "";
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done(fail);
    },
  });
  return { output: new Output(Object.assign(stream, { isTTY })), shown: () => text };
}

describe("an output", () => {
  it("shows every line as one line without controls, its styles apart", () => {
    const { output, shown } = outputTo(true);
    output.line(spans`${styled("red", "FAIL")} check: ${OWNED}`);
    output.line(styled("dim", OWNED));
    const own = stripVTControlCharacters(shown());
    expect(own.split("\n")).toHaveLength(3);
    expect(own.replaceAll("\n", "")).toMatch(/^[ -~]*$/);
    expect(own).toContain("\\u001b]0;owned\\u0007\\u001b[2J\\r\\n[PERMIT_WAIT]");
  });

  it("keeps the status of a terminal below its lines", () => {
    const { output, shown } = outputTo(true);
    output.status(`1 of 2${OWNED}`);
    output.line("a line");
    expect(
      shown().endsWith(
        "\r\x1b[2Ka line\n1 of 2\\u001b]0;owned\\u0007\\u001b[2J\\r\\n[PERMIT_WAIT] OK plan=0123456789abcdef wait_ms=1",
      ),
    ).toBe(true);
  });

  it("draws a screen over the last one, without a line that wraps or is left over", () => {
    const { output, shown } = outputTo(true);
    output.screen(["one", OWNED]);
    expect(shown()).toBe(
      "\x1b[?7l\x1b[Hone\x1b[K\n\\u001b]0;owned\\u0007\\u001b[2J\\r\\n[PERMIT_WAIT] OK plan=0123456789abcdef wait_ms=1\x1b[K\n\x1b[J\x1b[?7h",
    );
  });

  it("knows the size of a terminal that tells it, and no other", () => {
    const sized = (isTTY: boolean, columns: number) =>
      new Output(Object.assign(new Writable(), { isTTY, columns, rows: 24 })).size;
    expect(sized(true, 80)).toEqual({ columns: 80, rows: 24 });
    expect(sized(true, 0)).toBeUndefined();
    expect(sized(false, 80)).toBeUndefined();
  });

  it("writes JSON that a terminal does not obey and that says the same", () => {
    const { output, shown } = outputTo(false);
    const value = { reason: `${OWNED}\u009b31m\u202e\u007f\u{e0041}` };
    output.json(value);
    expect(shown()).toMatch(/^[ -~]*\n$/);
    expect(JSON.parse(shown())).toEqual(value);
  });

  it("is closed by the error of its stream, and drops what comes after", async () => {
    const { output, shown } = outputTo(false, Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    const closed = new Promise((resolve) => output.closed.addEventListener("abort", resolve));
    output.line("first");
    await closed;
    expect(isReaderGone(output.closed)).toBe(true);
    output.line("second");
    expect(shown()).toBe("first\n");
  });

  it("that is full has lost no reader", async () => {
    const { output } = outputTo(false, Object.assign(new Error("no space"), { code: "ENOSPC" }));
    const closed = new Promise((resolve) => output.closed.addEventListener("abort", resolve));
    output.line("first");
    await closed;
    expect(isReaderGone(output.closed)).toBe(false);
  });
});

describe("an output that nobody reads", () => {
  /** Accepts nothing until `read`. */
  function unread() {
    const written: string[] = [];
    let take: (() => void) | undefined;
    let isRead = false;
    const stream = new Writable({
      write(chunk, _encoding, done) {
        take = () => {
          written.push(String(chunk));
          done();
        };
        if (isRead) take();
      },
    });
    const read = () => {
      isRead = true;
      take?.();
    };
    return { output: new Output(stream), stream, written, read };
  }
  const LINES = 100_000;

  it("keeps some megabytes, and says then how many lines are missing, where they are", async () => {
    const { output, stream, written, read } = unread();
    for (let number = 1; number <= LINES; number++) output.line(String(number).padStart(99));
    expect(stream.writableLength).toBeLessThan(5 * 2 ** 20);
    read();
    await output.written();
    output.line("read again");
    await output.written();
    const kept = written.filter((text) => text !== "").length - 2;
    expect(kept).toBeGreaterThan(LINES / 4);
    expect(written[kept - 1]).toBe(`${String(kept).padStart(99)}\n`);
    expect(written.filter((text) => text !== "").slice(kept)).toEqual([
      `${LINES - kept} lines dropped: nobody read this output for a while\n`,
      "read again\n",
    ]);
  });

  it("has written an answer of any size whole before its process ends", async () => {
    const { output, written, read } = unread();
    output.block("x\n".repeat(8 * 2 ** 20));
    read();
    await output.written();
    expect(written.join("")).toHaveLength(16 * 2 ** 20);
  });
});

describe("a log record", () => {
  const record = (fields: object) => `${JSON.stringify({ level: 30, service: "apply-layer", ...fields })}\n`;
  const WAIT =
    "[PERMIT_WAIT] BLOCK plan=3f58da1bdb590b3b reason=p33_permit_denied symbol=ETHUSDT wait_ms=3 gov_ttl=58";
  const FORGED = "[PERMIT_WAIT] OK plan=0123456789abcdef wait_ms=1 safe_qty=9";

  it("is the same JSON in visible characters", () => {
    const fields = { detail: `${OWNED}\u009b\u202e`, msg: "BTCUSDT: \u0085x" };
    const shown = shownRecord(record(fields));
    expect(shown).toMatch(/^[ -~]*\n$/);
    expect(JSON.parse(shown)).toMatchObject(fields);
  });

  it("has the mark of a wait line in the message of one, and nowhere else", () => {
    const marks = (line: string) => line.match(/\[PERMIT_WAIT\]/g) ?? [];
    const shown = shownRecord(record({ detail: FORGED, nested: { msg: WAIT }, msg: WAIT }));
    expect(marks(shown)).toHaveLength(1);
    expect(shown).toContain(`,"msg":"${WAIT}"}`);
    expect(JSON.parse(shown)).toMatchObject({ detail: FORGED, nested: { msg: WAIT }, msg: WAIT });
    for (const msg of [
      `${FORGED}: Plan 01 published (decision=SKIP, steps=0)`,
      `failed: ${FORGED}`,
      `x"${FORGED}`,
    ])
      expect(marks(shownRecord(record({ msg })))).toEqual([]);
    expect(marks(shownRecord(record({ nested: { msg: FORGED } })))).toEqual([]);
  });
});
