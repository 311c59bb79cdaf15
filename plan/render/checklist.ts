import type { Plan } from "../plan";
import { unguardedText } from "../supervision";
import type { RecordAct, Step } from "../step";
import { unreachable, type StepState } from "../terms";

/** The plan as a Markdown checklist; each line of work has the command a person would paste. */
export function checklist(plan: Plan): string {
  return [`# ${headline(plan)}`, "", ...checklistLines(plan), ""].join("\n");
}

/** The checklist's numbered lines. */
export function checklistLines(plan: Plan): readonly string[] {
  return plan.steps
    .filter((step) => step.state !== "skipped")
    .map((step, index) => `${index + 1}. [${box(step.state)}] ${line(step, index + 1)}`);
}

/** Direction, kind and digest in one line. */
export function headline(plan: Plan): string {
  const missing = unguardedText(plan.unguarded);
  return missing === "" ? direction(plan) : `${direction(plan)}; ${missing}`;
}

function direction(plan: Plan): string {
  switch (plan.transition) {
    case "initial":
      return `initial: site ${plan.to} serves, site ${plan.from} becomes its standby (plan ${plan.digest})`;
    case "none":
      return `nothing to do: site ${plan.to} serves (epoch ${plan.epoch})`;
    case "rejoin":
      return `rejoin: site ${plan.from} becomes the standby of site ${plan.to} again (epoch ${plan.epoch})`;
    case "switchover":
    case "failover":
    case "resume":
      return `${plan.transition} from site ${plan.from} to site ${plan.to}, epoch ${plan.epoch} (plan ${plan.digest})`;
    default:
      return unreachable(plan.transition);
  }
}

function box(state: StepState): string {
  switch (state) {
    case "todo":
      return " ";
    case "done":
      return "x";
    case "waiting":
      return "~";
    case "skipped":
      return "-";
    default:
      return unreachable(state);
  }
}

function line(step: Step, number: number): string {
  const note = step.note === undefined ? "" : ` (${step.note})`;
  return `**${step.id}** ${step.title}${note}${command(step, number)}`;
}

/** The file that `standby runbook --out runbook` writes for this step holds the same bytes as the resource. */
function command(step: Step, number: number): string {
  if (step.state !== "todo") return "";
  return step.act.kind === "record"
    ? `: ${claimed(step.act)}\`${step.act.name} ${step.act.type} ${step.act.live}\` becomes \`${step.act.content}\``
    : `: \`sh runbook/${runbookFile(step, number)}\``;
}

function claimed({ claim }: RecordAct): string {
  return claim === undefined ? "" : `once \`${claim} CNAME\` is claimed, `;
}

/** File name of a step in the runbook folder. */
export function runbookFile(step: Pick<Step, "id">, number: number): string {
  return `${String(number).padStart(2, "0")}-${step.id}.sh`;
}
