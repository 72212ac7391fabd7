import { expect, it } from "vitest";
import { joined } from "../page/template-lines.mjs";

const stringsOf = (strings: TemplateStringsArray, ..._values: unknown[]) => strings;

it("keeps the blank between words over a line break, as HTML does", () => {
  const strings = stringsOf`<p>
    <b>one</b>
    two ${1}
  </p>`;
  expect([...joined(strings)]).toEqual(["<p> <b>one</b> two ", " </p>"]);
});

it("gives a template the same strings each time, by which it is known", () => {
  const row = (text: string) => joined(stringsOf`<li>${text}</li>`);
  expect(row("a")).toBe(row("b"));
});
