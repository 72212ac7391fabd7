/** What the generated documents are made of. */
const NOTICE = "<!-- Written by `pnpm run docs`: change the code, not this file. -->";

/** Blocks are paragraphs, headings and tables; a blank line goes between them. */
export function page(title: string, ...blocks: readonly string[]): string {
  return `${[`# ${title}`, NOTICE, ...blocks].join("\n\n")}\n`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escaped).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** A `|` ends a cell even in code; a `<` outside of code begins a tag. */
function escaped(cell: string): string {
  return cell.replaceAll("|", "\\|").replaceAll(/`[^`]*`|</g, (found) => (found === "<" ? "&lt;" : found));
}

export function code(text: string): string {
  return `\`${text}\``;
}

/** `a`, `b` */
export function codes(texts: readonly string[]): string {
  return texts.map(code).join(", ");
}
