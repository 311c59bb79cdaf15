/** Everything a run tells: events as they come, the text of a console, the list of steps. */
import { Diagnostic, EngineEvent, Op, PreviewStep, ResourceState, StepRecord } from "./engine";
import { Line, diagnosticsText, resourceLine, summaryText } from "./text";
import { isDefaultProvider } from "./urn";
import { blind, differences, rootOf } from "./values";

/** What is told about one step. */
export interface Told {
  readonly op: Op;
  readonly urn: string;
  readonly before?: ResourceState | undefined;
  readonly after?: ResourceState | undefined;
  readonly reasons?: readonly string[];
  readonly replaceReasons?: readonly string[];
  readonly detailed?: ReadonlyMap<string, string>;
  /** Shown behind the line, e.g. "[retain]" or "[diff: ~protect]". */
  readonly note?: string;
}

export class Report {
  readonly steps: StepRecord[] = [];
  readonly diagnostics: Diagnostic[] = [];
  readonly previewSteps: PreviewStep[] = [];
  readonly summary: Partial<Record<Op, number>> = {};
  #errored = 0;
  readonly #lines: string[] = [];
  readonly #startedAt = Date.now();
  readonly #onEvent: (event: EngineEvent) => void;
  readonly #title: string;

  /** `root` is the stack's URN: what is said about no resource is said about it. */
  constructor(
    title: string,
    private readonly root: string,
    onEvent: ((event: EngineEvent) => void) | undefined,
  ) {
    this.#title = title;
    this.#onEvent = onEvent ?? ((): void => undefined);
  }

  /** A step begins. Returns how to end it. Steps of default providers are told to nobody. */
  begin(told: Told): (ok: boolean) => void {
    const startedAt = Date.now();
    if (isDefaultProvider(told.urn)) return () => undefined;
    const changed = changedInputs(told);
    if (told.op !== "same") this.#line({ ...told, changed, at: "start" });
    this.#onEvent({ kind: "pre", urn: told.urn, op: told.op, at: startedAt });
    this.#preview(told);
    return (ok) => {
      const step = { urn: told.urn, op: told.op, startedAt, endedAt: Date.now(), ok };
      this.steps.push(step);
      this.#count(told.op, ok);
      if (told.op !== "same" || told.note !== undefined) {
        const seconds = (step.endedAt - startedAt) / 1000;
        this.#line({ ...told, changed, at: ok ? "end" : "failure", seconds });
      }
      this.#onEvent({ kind: "done", step });
    };
  }

  diagnostic(severity: Diagnostic["severity"], message: string, urn?: string): void {
    const text = message.replace(/\n+$/, "");
    const diagnostic =
      urn === undefined ? { severity, message: text } : { severity, message: text, urn };
    this.diagnostics.push(diagnostic);
    this.#onEvent({ kind: "diagnostic", diagnostic });
  }

  /** A line that is shown as it comes and kept nowhere else, such as a command's output. */
  ephemeral(message: string, urn: string): void {
    if (message === "") return;
    this.#lines.push(`    ${message}`);
    this.#onEvent({ kind: "diagnostic", diagnostic: { severity: "info", message, urn } });
  }

  /** The whole text, as `pulumi up` prints it. */
  text(): string {
    const seconds = Math.round((Date.now() - this.#startedAt) / 1000);
    return [
      this.#title,
      "",
      ...this.#lines,
      ...diagnosticsText(this.diagnostics, this.root),
      "",
      ...summaryText(this.summary, this.#errored),
      "",
      `Duration: ${seconds}s`,
      "",
    ].join("\n");
  }

  #line(line: Line): void {
    this.#lines.push(resourceLine(line));
  }

  #count(op: Op, ok: boolean): void {
    if (!ok) this.#errored++;
    else if (op === "create-replacement" || op === "delete-replaced") return;
    else this.summary[op] = (this.summary[op] ?? 0) + 1;
  }

  #preview(told: Told): void {
    const { op, urn, before, after, note } = told;
    if (op === "create-replacement" || op === "delete-replaced") return;
    const isStack = before?.parent === undefined && after?.parent === undefined;
    if (op === "same" && !isStack && note === undefined) return;
    const provider = (after ?? before)?.provider;
    this.previewSteps.push({
      op,
      urn,
      ...(provider === undefined ? {} : { provider }),
      ...(before === undefined ? {} : { oldState: forEyes(before) }),
      ...(after === undefined ? {} : { newState: forEyes(after) }),
      ...(told.reasons === undefined ? {} : { diffReasons: told.reasons }),
      ...(told.replaceReasons === undefined ? {} : { replaceReasons: told.replaceReasons }),
      detailedDiff: told.detailed === undefined ? null : detailedDiff(told.detailed),
    });
  }
}

// What a person is shown behind a line: the inputs that differ, not what the provider computes.
function changedInputs(told: Told): readonly string[] {
  if (told.before === undefined || told.after === undefined || told.op === "same") return [];
  const paths = differences(told.before.inputs ?? {}, told.after.inputs ?? {}).keys();
  return [...new Set([...paths].map(rootOf))].sort();
}

function forEyes(state: ResourceState): ResourceState {
  return {
    ...state,
    ...(state.inputs === undefined ? {} : { inputs: blind(state.inputs) }),
    ...(state.outputs === undefined ? {} : { outputs: blind(state.outputs) }),
  };
}

function detailedDiff(
  detailed: ReadonlyMap<string, string>,
): Record<string, { kind: string; inputDiff: boolean }> {
  const paths = [...detailed].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(paths.map(([path, kind]) => [path, { kind, inputDiff: false }]));
}
