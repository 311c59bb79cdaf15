/** Runs verbs as the product does, on a pair of real clusters; see lab/pair.ts. */
export * from "../../lab/pair";
