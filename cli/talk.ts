/** How a command speaks: results on standard output, complaints on standard error. */
export interface Talk {
  readonly say: (text: string) => void;
  /** Two lines: what is the matter, and the next act. */
  readonly complain: (what: string, hint: string) => void;
}

/** The terminal. */
export const terminal: Talk = {
  say: (text) => process.stdout.write(`${text}\n`),
  complain: (what, hint) => process.stderr.write(`${what}\nHINT: ${hint}\n`),
};

/** An error that a person can mend: printed without a stack. */
export class Complaint extends Error {
  constructor(
    readonly what: string,
    readonly hint: string,
  ) {
    super(`${what}\nHINT: ${hint}`);
  }
}
