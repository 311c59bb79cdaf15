import { CELLS } from "./cells";

/** The cells of an ordinary run. */
export const CHOSEN: readonly string[] = CELLS.map(({ id }) => id);
