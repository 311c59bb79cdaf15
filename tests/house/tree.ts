import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** The project's root. */
export const ROOT = path.resolve(__dirname, "../..");

const NOT_OURS = new Set([
  "node_modules",
  "dist",
  ".git",
  "fixtures",
  "package-lock.json",
  "LICENSE",
  "package-lock.json",
]);

function walk(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const full = path.join(folder, entry.name);
    return entry.isDirectory() ? walk(full) : [full];
  });
}

/** Every file we wrote, as paths from the root; without what others made, built or recorded. */
export function ourFiles(pattern = /./): string[] {
  return walk(ROOT)
    .map((file) => path.relative(ROOT, file))
    .filter((file) => pattern.test(file))
    .sort();
}

/** The text of one of our files, by its path from the root. */
export function textOf(file: string): string {
  return readFileSync(path.join(ROOT, file), "utf8");
}

/** "file:line: text" of every line that a pattern hits. */
export function hits(files: readonly string[], pattern: RegExp): string[] {
  return files.flatMap((file) =>
    textOf(file)
      .split("\n")
      .flatMap((line, index) =>
        pattern.test(line) ? [`${file}:${String(index + 1)}: ${line.trim()}`] : [],
      ),
  );
}
