import { parseArgs } from "node:util";

/** What `npm run faults` may be told. */
export interface Options {
  /** Where the figures go as JSON. */
  readonly json: string | undefined;
  /** Only cells whose id begins with this; several are separated by commas. */
  readonly cell: string | undefined;
  /** The delays of a run follow from it; printed, and taken again to replay. */
  readonly seed: number;
  readonly lanes: number;
  /** Where the page goes. */
  readonly page: string | undefined;
  /** This process is a lane of another one. */
  readonly lane: boolean;
}

export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "string" },
      cell: { type: "string" },
      seed: { type: "string", default: "1" },
      lanes: { type: "string", default: "2" },
      page: { type: "string" },
      lane: { type: "boolean", default: false },
    },
  });
  const { json, cell, seed, lanes, page, lane } = values;
  return { json, cell, seed: Number(seed), lanes: Number(lanes), page, lane };
}
