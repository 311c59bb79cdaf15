import pc from "picocolors";
import { stepId, type MeasuredStep, type MeasuredTransition } from "./flip";
import type { EngineEvent, RunResult } from "./engine/engine";
import type { Sampler } from "./sampler";

/** Tells the tour on a terminal: plain lines, a clock in front, one line for each step that acts. */
export class Story {
  readonly #beganAt = Date.now();
  #chapter = 0;

  banner(text: string): void {
    this.line(pc.dim(text));
  }

  chapter(title: string): void {
    this.#chapter += 1;
    process.stdout.write("\n");
    this.line(pc.bold(`${this.#chapter}. ${title}`));
  }

  say(text: string): void {
    this.line(`   ${text}`);
  }

  command(text: string): void {
    this.line(pc.cyan(`   $ ${text}`));
  }

  quote(text: string): void {
    for (const line of text.split("\n")) this.line(pc.yellow(`   | ${line}`));
  }

  /** Progress of an update: each step that acts, as it begins. */
  onEvent(kind: string): (event: EngineEvent) => void {
    return (event) => {
      if (event.kind !== "pre" || event.op === "same" || !process.stdout.isTTY) return;
      process.stdout.write(`\r\u001b[K   ${pc.dim(`${kind}: ${stepId(event.urn)} ...`)}\r`);
    };
  }

  done(result: RunResult): void {
    const summary = Object.entries(result.summary).map(([op, count]) => `${count} ${op}`);
    this.say(`Update done: ${summary.join(", ")}.`);
  }

  steps(steps: readonly MeasuredStep[]): void {
    for (const step of steps) {
      const at = `${(step.startedAt / 1000).toFixed(2)} s`.padStart(8);
      this.line(
        `   ${pc.dim(at)}  ${step.id.padEnd(18)} ${step.site}  ${String(step.ms).padStart(6)} ms`,
      );
    }
  }

  figures(measured: MeasuredTransition, sampler: Sampler): void {
    const { kind, from, to, epoch, updateMs } = measured;
    this.say(
      pc.green(`${kind} ${from} to ${to}, epoch ${epoch}, in ${(updateMs / 1000).toFixed(1)} s:`) +
        ` no writes for ${ms(measured.databaseGapMs)}, public name silent for ${ms(measured.publicGapMs)},` +
        ` ${measured.dnsWrites} DNS writes`,
    );
    this.say(
      `${measured.acked} writes acknowledged, ${measured.lost} of them not at ${to}, ${measured.indeterminate} without an answer;` +
        ` ${measured.overlappingAcks} overlapping, ${sampler.twoWriterSamples} of ${sampler.samples} samples with two writers`,
    );
  }

  answers(names: Readonly<Record<string, string>>, visit: string): void {
    const shown = Object.entries(names).map(([name, site]) => `${name} -> ${site}`);
    this.say(`${shown.join(", ")}; a visitor is answered by ${visit}`);
  }

  summary(report: {
    readonly engine: string;
    readonly transitions: readonly MeasuredTransition[];
    readonly twoWriterSamples: number;
    readonly samples: number;
    readonly overlappingAcks: number;
    readonly secondUpdateChanges: number;
    readonly handedOver: { readonly onlyThere: number; readonly missing: number };
    readonly total: { readonly acked: number; readonly missing: number };
  }): void {
    this.chapter("Summary");
    for (const one of report.transitions) {
      this.say(
        `${one.kind.padEnd(10)} ${one.from} -> ${one.to}  update ${(one.updateMs / 1000).toFixed(1)} s  database gap ${ms(one.databaseGapMs)}  public gap ${ms(one.publicGapMs)}  ${one.acked} acknowledged, ${one.lost} not at ${one.to}`,
      );
    }
    this.say(
      `two writers in ${report.twoWriterSamples} of ${report.samples} samples, ${report.overlappingAcks} overlapping acknowledgements, ${report.secondUpdateChanges} changes by second updates`,
    );
    this.say(
      `${report.handedOver.onlyThere} writes that only the lost site had were handed over, ${report.handedOver.missing} of them are missing`,
    );
    this.say(
      `${report.total.acked} writes acknowledged in the whole tour, ${report.total.missing} of them missing at the end`,
    );
    this.say(
      `engine: ${report.engine}; whole tour ${((Date.now() - this.#beganAt) / 1000).toFixed(0)} s`,
    );
  }

  private line(text: string): void {
    const clear = process.stdout.isTTY ? "\r\u001b[K" : "";
    const clock = pc.dim(`${((Date.now() - this.#beganAt) / 1000).toFixed(1).padStart(6)} `);
    process.stdout.write(`${clear}${clock}${text}\n`);
  }
}

function ms(value: number | undefined): string {
  return value === undefined ? "an open gap" : `${value} ms`;
}
