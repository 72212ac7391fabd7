/** `text` as one word of a POSIX shell's line, whatever is in it: a path may have blanks. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
