// The comments a reviewer gets, letter by letter. UPDATE_GOLDEN=1 writes them anew; read the difference before you commit it.
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { judge } from "../../plan/dns/judge";
import { parsePreview, runbooks } from "../../plan/dns/previewJson";
import type { Rehearsal } from "../../plan/dns/rehearsal";
import { comment, COMMENT_LIMIT, COMMENT_MARK, type Comment } from "../../plan/render/comment";
import { atRest, lost } from "../plan/worlds";
import { idOf, previewOf, RECORD, urnOf, zoneIdOf, type Preview, type Scene } from "./previews";

const FOLDER = path.join(__dirname, "..", "golden");
const flip: Scene = { world: atRest("a"), flags: { activeSite: "b" } };
const names = (n: number, zone: string) => Array.from({ length: n }, (_, i) => `n${i}.${zone}`);

function commentOn(preview: Preview, rehearsal?: Rehearsal): Comment {
  const read = parsePreview(JSON.stringify(preview));
  const more = rehearsal === undefined ? {} : { rehearsal };
  return comment({ judgement: judge(read), runbooks: runbooks(read), ...more });
}

function stray(): Preview {
  const preview = previewOf(flip);
  const inputs = {
    name: "mail.example.com",
    type: "A",
    ttl: 300,
    proxied: false,
    zoneId: zoneIdOf("example.com"),
  };
  const of = (content: string) => ({
    type: RECORD,
    urn: urnOf("mail"),
    inputs: { ...inputs, content },
  });
  preview.steps.push({
    op: "update",
    urn: urnOf("mail"),
    oldState: of("192.0.2.7"),
    newState: of("192.0.2.8"),
  });
  return preview;
}

function drifted(): Preview {
  const findings = [
    {
      ...({
        code: "hand-edit",
        zone: "example.com",
        name: "www.example.com",
        stops: false,
      } as const),
      what: "www.example.com CNAME is elsewhere.example.net in the zone, declared is active.example.com",
      hint: "find out who changed it and why; pulumi up --refresh puts it back.",
    },
  ];
  // Deleted and made again by hand: the state holds the old id.
  return previewOf({ ...flip, survey: { findings, pivotIds: { "example.com": "f".repeat(32) } } });
}

const works: Rehearsal = { site: "b", names: 1, works: 1, faults: [] };
const scenes: Readonly<Record<string, () => Comment>> = {
  switchover: () => commentOn(previewOf(flip), works),
  failover: () =>
    commentOn(
      previewOf({
        world: lost(atRest("a"), "a"),
        flags: { activeSite: "b", acceptLoss: 2, acceptUnproven: 2 },
      }),
    ),
  "no-change": () => commentOn(previewOf({ world: atRest("a"), flags: { activeSite: "a" } })),
  stray: () => commentOn(stray()),
  drifted: () => commentOn(drifted()),
  "ten-thousand-names": () =>
    commentOn(
      previewOf({
        ...flip,
        zones: [{ zone: "example.com", hostnames: names(10_000, "example.com") }],
      }),
      {
        ...{ site: "b", names: 10_000, works: 9998 },
        faults: [
          { name: "n17.example.com", what: "the certificate ends in 3 days" },
          { name: "n4711.example.com", what: "HTTP 502" },
        ],
      },
    ),
  "two-zones": () =>
    commentOn(
      previewOf({
        ...flip,
        zones: [
          { zone: "example.com", hostnames: ["example.com", "www.example.com"] },
          { zone: "example.net", hostnames: names(40, "example.net") },
        ],
      }),
    ),
  "not-observed": () => commentOn(previewOf({ ...flip, observe: "none" })),
};

/** Digests and bounds follow every change of a script or a limit; what a reviewer reads does not. */
const steady = (markdown: string) =>
  markdown
    .replace(/`(\d+)-[0-9a-f]{12}`/g, "`$1-DIGEST`")
    .replace(/at most \d+ s\b/g, "at most N s");

const refusedScenes = ["stray", "drifted"];

describe.each(Object.entries(scenes))("the comment on %s", (name, made) => {
  const { markdown, refused } = made();

  test("is the one that was agreed on", () => {
    const file = path.join(FOLDER, `${name}.md`);
    if (process.env.UPDATE_GOLDEN === "1") writeFileSync(file, steady(markdown));
    expect(steady(markdown)).toBe(readFileSync(file, "utf8"));
  });

  test("has its verdict in the first 200 characters", () => {
    const head = markdown.slice(0, 200);
    const verdict = markdown.split("\n")[2] ?? "";
    if (refusedScenes.includes(name)) expect(head).toContain("REFUSED");
    else expect(head).toContain(verdict);
  });

  test("has eight lines open at most, and begins with its mark", () => {
    const open = markdown.split("<details>")[0] ?? "";
    const lines = open.split("\n").filter((line) => line !== "");
    expect(lines[0]).toMatch(new RegExp(`^${COMMENT_MARK}`));
    expect(lines.length - 1).toBeLessThanOrEqual(8);
  });

  test("is refused only where something is unexpected", () => {
    expect(refused).toBe(refusedScenes.includes(name));
  });

  test("fits", () => {
    expect(markdown.length).toBeLessThanOrEqual(COMMENT_LIMIT);
  });
});

test("a comment that would be too long says how many lines are left out", () => {
  const hostnames = names(10_000, "example.com");
  const preview = previewOf({
    world: atRest("a"),
    flags: { activeSite: "a" },
    zones: [{ zone: "example.com", hostnames }],
    fresh: hostnames,
  });
  const { markdown, refused } = commentOn(preview);
  expect(refused).toBe(false);
  expect(markdown.length).toBeLessThanOrEqual(COMMENT_LIMIT);
  const left = Number(/(\d+) lines are left out/.exec(markdown)?.[1]);
  const shown = markdown.split("\n").filter((line) => line.startsWith("| create")).length;
  expect(shown).toBeGreaterThan(500);
  // The rest of the table, and the block's end.
  expect(left).toBeGreaterThanOrEqual(10_000 - shown);
});

test("the same preview gives the same bytes", () => {
  expect(commentOn(previewOf(flip))).toEqual(commentOn(previewOf(flip)));
});

test("no site's key, id of a record, or signature is needed to read it", () => {
  expect(commentOn(previewOf(flip)).markdown).not.toContain(idOf("active.example.com"));
});
