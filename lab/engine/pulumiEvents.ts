/** Turns the CLI's engine events into this project's. Its timestamps are whole seconds: ours count. */
import type { EngineEvent as CliEvent, StepEventMetadata } from "@pulumi/pulumi/automation";
import type { Diagnostic, EngineEvent, Op, StepRecord } from "./engine";
import { isDefaultProvider } from "./urn";

export class Listener {
  readonly steps: StepRecord[] = [];
  readonly diagnostics: Diagnostic[] = [];
  summary: Partial<Record<Op, number>> = {};
  readonly #startedAt = new Map<string, number>();
  readonly #tell: (event: EngineEvent) => void;

  constructor(onEvent: ((event: EngineEvent) => void) | undefined) {
    this.#tell = onEvent ?? ((): void => undefined);
  }

  readonly hear = (event: CliEvent): void => {
    if (event.resourcePreEvent !== undefined) this.#begin(event.resourcePreEvent.metadata);
    if (event.resOutputsEvent !== undefined) this.#end(event.resOutputsEvent.metadata, true);
    if (event.resOpFailedEvent !== undefined) this.#end(event.resOpFailedEvent.metadata, false);
    if (event.summaryEvent !== undefined) this.summary = { ...event.summaryEvent.resourceChanges };
    if (event.diagnosticEvent !== undefined) this.#diagnostic(event.diagnosticEvent);
  };

  /** A failure that no event has told: a lock that is held, say. */
  failed(error: unknown): void {
    if (this.diagnostics.some((one) => one.severity === "error")) return;
    const message = error instanceof Error ? error.message : String(error);
    this.diagnostics.push({ severity: "error", message });
  }

  #begin({ op, urn }: StepEventMetadata): void {
    if (isDefaultProvider(urn)) return;
    const at = Date.now();
    this.#startedAt.set(`${op} ${urn}`, at);
    this.#tell({ kind: "pre", urn, op: op as Op, at });
  }

  #end({ op, urn }: StepEventMetadata, ok: boolean): void {
    if (isDefaultProvider(urn)) return;
    const endedAt = Date.now();
    const startedAt = this.#startedAt.get(`${op} ${urn}`) ?? endedAt;
    const step = { urn, op: op as Op, startedAt, endedAt, ok };
    this.steps.push(step);
    this.#tell({ kind: "done", step });
  }

  #diagnostic(event: NonNullable<CliEvent["diagnosticEvent"]>): void {
    const message = event.message.replace(/\n+$/, "");
    const { severity, urn } = event;
    const diagnostic: Diagnostic = {
      severity,
      message,
      ...(urn === undefined || urn === "" ? {} : { urn }),
    };
    if (event.ephemeral !== true) this.diagnostics.push(diagnostic);
    this.#tell({ kind: "diagnostic", diagnostic });
  }
}
