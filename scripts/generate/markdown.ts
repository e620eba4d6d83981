const MADE_BY = "<!-- Generated from proto/ by `npm run generate`; not to be edited by hand. -->";

/** A page of paragraphs, headings and tables. */
export const page = (...blocks: readonly string[]): string => `${[MADE_BY, ...blocks].join("\n\n")}\n`;

/** A table; line breaks and bars in the cells are kept out of its way. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

const cell = (text: string): string => text.replace(/\s*\n\s*/g, " ").replaceAll("|", "\\|");
