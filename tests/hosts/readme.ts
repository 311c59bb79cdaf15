import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../house/tree";

/** README as a reader has it: code blocks by the heading above them, with their lines as they stand. */

/** A block of code; `lines` without the list's indentation and without empty ones. */
export interface Block {
  readonly heading: string;
  readonly language: string;
  readonly text: string;
}

export function blocksOf(file: string): readonly Block[] {
  const found: Block[] = [];
  let heading = "";
  let open: { indent: string; language: string; lines: string[] } | undefined;
  for (const line of readFileSync(join(ROOT, file), "utf8").split("\n")) {
    const fence = /^(\s*)```(\w*)$/.exec(line);
    if (open !== undefined && fence !== null) {
      found.push({ heading, language: open.language, text: open.lines.join("\n") });
      open = undefined;
    } else if (open !== undefined) {
      open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line);
    } else if (fence !== null) {
      open = { indent: fence[1] ?? "", language: fence[2] ?? "", lines: [] };
    } else {
      heading = /^#+ (.*)$/.exec(line)?.[1] ?? heading;
    }
  }
  return found;
}

/** The shell blocks below a heading, each as its lines. */
export function shellLines(file: string, heading: string): readonly (readonly string[])[] {
  return blocksOf(file)
    .filter((block) => block.heading === heading && block.language === "sh")
    .map(({ text }) => text.split("\n").filter((line) => line.trim() !== ""));
}
