/**
 * What of a text, a table or several tables fits into a window. Pure. Libraries that draw tables wrap their cells or want to be
 * told their widths; what is hard, how wide a character is and where a text may be cut, is cli-truncate's and string-width's.
 */
import { escapeControls } from "@quantum/contract";
import type { Line, Styled } from "@quantum/service-kit";
import cliTruncate from "cli-truncate";
import stringWidth from "string-width";

/** Cells, the heading first. */
export type Rows = readonly (readonly string[])[];

const GAP = "  ";

/**
 * Divides `total` among those who want a part of it: each gets what it wants, as long as that leaves the others as much; what
 * is left over goes to those who want more.
 */
export function share(wants: readonly number[], total: number): number[] {
  const shares = wants.map(() => 0);
  const smallestFirst = wants.map((want, index) => ({ want, index })).toSorted((a, b) => a.want - b.want);
  let left = Math.max(0, total);
  for (const [position, { want, index }] of smallestFirst.entries()) {
    const part = Math.min(want, Math.floor(left / (wants.length - position)));
    shares[index] = part;
    left -= part;
  }
  return shares;
}

/** Aligns the columns. If they need more than `columns` together, the widest are cut. */
export function table(cells: Rows, columns = Number.POSITIVE_INFINITY): string[] {
  // What is escaped is longer, so this comes before measuring.
  const rows = cells.map((row) => row.map(escapeControls));
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => stringWidth(row[column] ?? ""))),
  );
  const gaps = GAP.length * widths.length;
  const fitting = Number.isFinite(columns) ? share(widths, columns - gaps) : widths;
  return rows.map((row) => {
    const shown = row.map((cell, column) => {
      const width = fitting[column] ?? 0;
      const text = cutText(cell, width);
      return text + " ".repeat(Math.max(0, width - stringWidth(text)));
    });
    return `${GAP}${shown.join(GAP)}`.trimEnd();
  });
}

/** As many of the rows as fit into `height` lines. If there is room for it, the last line says how many are missing. */
export function firstRows(lines: readonly string[], height: number): string[] {
  if (lines.length <= height || height <= 1) return lines.slice(0, Math.max(0, height));
  const kept = lines.slice(0, height - 1);
  return [...kept, `${GAP}… ${lines.length - kept.length} more`];
}

/** The line, or its beginning. */
export function cutLine(line: Line, columns: number): Line {
  const parts = typeof line === "string" || "style" in line ? [line] : line;
  let left = columns;
  return parts.map((part): string | Styled => {
    const text = cutText(escapeControls(typeof part === "string" ? part : part.text), left);
    left -= stringWidth(text);
    return typeof part === "string" ? text : { ...part, text };
  });
}

function cutText(text: string, columns: number): string {
  if (columns <= 0) return "";
  return stringWidth(text) <= columns ? text : cliTruncate(text, columns);
}
