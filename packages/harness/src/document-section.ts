/**
 * The part of a document that a program writes, between two marks: `<!-- NAME: written by PROGRAM -->` and `<!-- end of
 * NAME -->`. People write the rest.
 */
export interface Section {
  /** Its path, for the error message. */
  document: string;
  name: string;
}

/** The text between the marks. Throws if a mark is missing. */
export function sectionOf(text: string, section: Section): string {
  const { from, to } = placeOf(text, section);
  return text.slice(from, to);
}

/** The text with `content` between the marks. Throws if a mark is missing. */
export function withSection(text: string, section: Section, content: string): string {
  const { from, to } = placeOf(text, section);
  return `${text.slice(0, from)}\n\n${content.trim()}\n\n${text.slice(to)}`;
}

function placeOf(text: string, { document, name }: Section): { from: number; to: number } {
  const begin = new RegExp(`<!-- ${name}: written by .* -->`).exec(text);
  const from = begin === null ? -1 : begin.index + begin[0].length;
  const to = text.indexOf(`<!-- end of ${name} -->`);
  if (from < 0 || to < from)
    throw new Error(
      `${document} lacks the marks <!-- ${name}: written by ... --> and <!-- end of ${name} -->, in this order`,
    );
  return { from, to };
}
