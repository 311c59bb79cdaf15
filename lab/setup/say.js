"use strict";
// Progress of the set-up: plain lines with the seconds since the start, the same with and without a terminal.

const started = process.hrtime.bigint();

/** Seconds since this process began, with one decimal. */
function elapsed() {
  return (Number(process.hrtime.bigint() - started) / 1e9).toFixed(1);
}

/** One line of progress on stderr, so that stdout stays the program's own. */
function say(text) {
  process.stderr.write(`[${elapsed().padStart(5)} s] ${text}\n`);
}

/** A reason to stop that the user can act on: printed without a stack. */
class SetupProblem extends Error {}

module.exports = { say, SetupProblem };
