import * as pulumi from "@pulumi/pulumi";

/**
 * Says so when a record's call has had no answer within its bound. The provider's client has no deadline, and a program
 * cannot end a call of its engine; `standby up` can, and is rung.
 */
export function overdue(record: pulumi.Resource, what: string, seconds: number): void {
  const timer = setTimeout(() => {
    void pulumi.log.warn(
      `DNS pending: ${what} has had no answer for ${seconds} s, and the provider waits for ever. Everything before it is done. HINT: end this update (Ctrl-C twice) and run it again, or let standby up do so: standby up -- pulumi up --yes`,
      record,
    );
    ring();
  }, seconds * 1000);
  // A program that ends must not wait for it.
  timer.unref();
  record.urn.apply(() => clearTimeout(timer));
}

function ring(): void {
  const bell = Number(process.env.STANDBY_UP_PID);
  if (!Number.isInteger(bell) || bell <= 1) return;
  try {
    process.kill(bell, "SIGUSR2");
  } catch {
    // Nobody is there to be rung.
  }
}
