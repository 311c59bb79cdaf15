import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runbookFile } from "../plan/render/checklist";
import type { PreviewFile, PreviewStep, ToldPlan } from "./previewFile";
import type { Talk } from "./talk";

/**
 * The runbook of a plan: a file a step, each with the very bytes that the resource would run, so that a person can go on
 * where no pulumi can. Facts that a later step needs are kept in the file `facts` beside them.
 */
export function writeRunbook(file: PreviewFile, plan: ToldPlan, folder: string, talk: Talk): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const shown = Object.entries(plan.states).filter(([, state]) => state !== "skipped");
  shown.forEach(([id, state], index) => {
    if (state !== "todo") return;
    const step = file.steps.find((one) => one.urn.endsWith(`::${plan.pair}-${id}`));
    if (step?.newState === undefined) return;
    const name = runbookFile({ id }, index + 1);
    writeFileSync(join(folder, name), text(id, step, plan), { mode: 0o700 });
    talk.say(`sh ${join(folder, name)}`);
  });
}

function text(id: string, step: PreviewStep, plan: ToldPlan): string {
  const head = [
    "#!/bin/sh",
    `# ${id} of ${plan.transition} from site ${plan.from} to site ${plan.to}, plan ${plan.digest}.`,
    "# Run the files in the order of their numbers, and stop at the first that does not end with 0.",
    "set -eu",
    'here=$(cd "$(dirname "$0")" && pwd)',
  ];
  const body = step.newState?.type === "command:local:Command" ? run(id, step, plan) : record(step);
  return [...head, ...body, ""].join("\n");
}

const MARK = "STANDBY_STEP";

function run(id: string, step: PreviewStep, plan: ToldPlan): readonly string[] {
  const { create, stdin, environment } = step.newState?.inputs ?? {};
  const secret = isSecret(environment);
  const needs = (plan.needs[id] ?? []).map(
    ({ fact, of }) => `sed -n 's/^${of} ${fact}=/${fact}=/p' "$here/facts" | tail -n 1`,
  );
  return [
    `export RUN=${quote(plan.run)} DIGEST=${quote(plan.digest)}`,
    'touch "$here/facts"',
    `FACTS=$(${needs.length === 0 ? ":" : needs.join("; ")})`,
    secret
      ? 'SECRET="password=${STANDBY_PASSWORD:?set it to the replication password: pulumi stack export --show-secrets}"'
      : "SECRET=",
    "export FACTS SECRET",
    "result=0",
    `sh -c ${quote(String(create))} <<'${MARK}' >"$here/${id}.out" || result=$?`,
    String(stdin).trimEnd(),
    MARK,
    `cat "$here/${id}.out"`,
    `sed 's/^/${id} /' "$here/${id}.out" >>"$here/facts"`,
    `rm -f "$here/${id}.out"`,
    'exit "$result"',
  ];
}

/** A preview blinds a secret, also one that is still to be made. */
function isSecret(environment: unknown): boolean {
  if (environment === "[secret]") return true;
  const secret =
    typeof environment === "object" && environment !== null && "SECRET" in environment
      ? environment.SECRET
      : "";
  return secret !== "";
}

function record({ oldState, newState }: PreviewStep): readonly string[] {
  const { zoneId, name, type, content, ttl, proxied } = newState?.inputs ?? {};
  const body = JSON.stringify({ name, type, content, ttl, proxied });
  const known = oldState?.id;
  // Without an id the state does not know the record; after a lost state it exists all the same.
  const found = `grep -o '"id":"[0-9a-f]*"' | head -n 1 | cut -d '"' -f 4`;
  const query = `name=${String(name)}&type=${String(type)}`;
  return [
    `# ${String(name)} ${String(type)} becomes ${String(content)}`,
    ': "${CLOUDFLARE_API_TOKEN:?set it to a token that may edit DNS in this zone}"',
    "base=${CLOUDFLARE_BASE_URL:-https://api.cloudflare.com/client/v4}",
    `records="\${base%/}/zones/${String(zoneId)}/dns_records"`,
    'call() { curl --silent --show-error --fail --max-time 30 --header "Authorization: Bearer $CLOUDFLARE_API_TOKEN" "$@"; }',
    ...(known === undefined
      ? [`known=$(call "$records?${query}")`, `id=$(printf '%s\\n' "$known" | ${found})`]
      : [`id=${known}`]),
    "method=PATCH",
    'if [ -z "$id" ]; then method=POST; fi',
    'call --request "$method" --header "Content-Type: application/json" \\',
    `  --data ${quote(body)} "$records\${id:+/$id}"`,
    "echo",
  ];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
