import type { Page } from "./listing";
import type { ApiErrorBody } from "./problems";

/** A good answer with one result. */
export function success(result: unknown): object {
  return { result, success: true, errors: [], messages: [] };
}

/** A good answer with one page of results. */
export function successPage<T>(page: Page<T>, wire: (item: T) => unknown): object {
  return { ...success(page.items.map(wire)), result_info: page.info };
}

/** What is sent instead of a result. */
export function failure(errors: readonly ApiErrorBody[]): object {
  return { result: null, success: false, errors, messages: [] };
}
