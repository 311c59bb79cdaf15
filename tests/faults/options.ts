import { parseArgs } from "node:util";

/** What `npm run faults` may be told. */
export interface Options {
  /** Where the figures go as JSON. */
  readonly json: string | undefined;
  /** Only cells whose id begins with this; several are separated by commas. */
  readonly cell: string | undefined;
  /** Every cell there is, not only those that together cover each boundary and each fault. */
  readonly all: boolean;
  /** K/N: the K-th of N parts of what was chosen, so that a long run can be cut. */
  readonly part: { readonly of: number; readonly at: number };
  /** The delays of a run and the model's sequences follow from it; printed, and taken again to replay. */
  readonly seed: number;
  /** On two hosts of their own (lab/hosts): the cells of a host's fault. */
  readonly hosts: boolean;
  readonly lanes: number;
  /** Seconds after which no further cell begins; those that are left count as red. */
  readonly limit: number;
  /** Where the page goes. */
  readonly page: string | undefined;
  /** This process is a lane of another one. */
  readonly lane: boolean;
}

const LIMIT = { chosen: 1380, all: 3600, hosts: 2700 };

/** Throws what is wrong with the arguments. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "string" },
      cell: { type: "string" },
      all: { type: "boolean", default: false },
      part: { type: "string", default: "1/1" },
      seed: { type: "string", default: "1" },
      // Two pairs of hosts in one room would have the same addresses.
      lanes: { type: "string", default: args.includes("--hosts") ? "1" : "2" },
      hosts: { type: "boolean", default: false },
      limit: { type: "string" },
      page: { type: "string" },
      lane: { type: "boolean", default: false },
    },
  });
  const { json, cell, all, page, lane, hosts } = values;
  const usual = hosts ? LIMIT.hosts : all ? LIMIT.all : LIMIT.chosen;
  const limit = Number(values.limit ?? usual);
  const [at = 0, of = 0] = values.part.split("/").map(Number);
  if (!(at >= 1 && at <= of)) throw new Error(`--part ${values.part}: not of the form K/N`);
  const numbers = { seed: Number(values.seed), lanes: Number(values.lanes), limit };
  for (const [key, value] of Object.entries(numbers)) {
    if (!(value >= 1)) throw new Error(`--${key}: a number from 1 on is needed`);
  }
  if (hosts && numbers.lanes > 1) throw new Error("--hosts: one lane; two would share addresses");
  return { json, cell, all, page, lane, hosts, part: { at, of }, ...numbers };
}
