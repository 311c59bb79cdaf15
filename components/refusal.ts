import * as pulumi from "@pulumi/pulumi";

/**
 * A program's "no": thrown once, with all issues in it, before anything is touched.
 * Its stack is its message: with a real stack the engine takes up to 50 s to print it, over the text that matters.
 */
export class Refusal extends pulumi.RunError {
  constructor(message: string) {
    super(message);
    this.name = "Refusal";
    // The SDK would put "error serializing property ..." in front where an output of the pair is used outside.
    Object.defineProperty(this, "message", { get: () => message, set: () => undefined });
    this.stack = message;
  }
}
