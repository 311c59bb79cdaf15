import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { judge } from "../plan/dns/judge";
import { parsePreview, runbooks } from "../plan/dns/previewJson";
import { rehearsalSchema } from "../plan/dns/rehearsal";
import { comment, COMMENT_LIMIT } from "../plan/render/comment";
import { EXIT } from "../plan/terms";

/** `pulumi preview --json | standby comment`: Markdown on standard output; 77 when it must not be approved. */
export function commentCommand(program: Command): void {
  program
    .command("comment")
    .description(
      "turns `pulumi preview --json` on standard input into a comment for the pull request",
    )
    .option("--rehearsal <file>", "what `standby rehearse --json` wrote")
    .option("--limit <characters>", "longest comment", String(COMMENT_LIMIT))
    .option("--force", "accepted, and changes nothing: what is unexpected stays refused")
    .action((options: { rehearsal?: string; limit: string }) => {
      const preview = parsePreview(readFileSync(0, "utf8"));
      const { rehearsal } = options;
      const made = comment(
        {
          judgement: judge(preview),
          runbooks: runbooks(preview),
          ...(rehearsal === undefined
            ? {}
            : { rehearsal: rehearsalSchema.parse(JSON.parse(readFileSync(rehearsal, "utf8"))) }),
        },
        Number(options.limit),
      );
      process.stdout.write(made.markdown);
      if (made.refused) process.exitCode = EXIT.refused;
    });
}
