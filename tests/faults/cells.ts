import type { Cell } from "./cell";
import { failoverCells } from "./failover";
import { returnCells } from "./returns";
import { singleCells } from "./singles";
import { switchoverCells } from "./switchover";

/** The matrix. */
export const CELLS: readonly Cell[] = [
  ...switchoverCells,
  ...singleCells,
  ...failoverCells,
  ...returnCells,
];
