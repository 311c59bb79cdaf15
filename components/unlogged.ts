import { types } from "@pulumi/command";

/** What every command of a pair is made with: its output may hold secrets, so nothing is logged and nothing handed on. */
export const UNLOGGED = {
  logging: types.enums.local.Logging.None,
  addPreviousOutputInEnv: false,
} as const;
