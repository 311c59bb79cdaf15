/** Quantiles by the nearest rank; milliseconds in, milliseconds out. */
export interface Quantiles {
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

/** @throws Error when there is nothing to count: a figure without a measurement would be made up. */
export function quantiles(values: readonly number[]): Quantiles {
  const sorted = [...values].sort((one, two) => one - two);
  const at = (share: number) => {
    const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    if (value === undefined) throw new Error("no values were measured");
    return Math.round(value);
  };
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}
