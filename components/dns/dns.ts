import type * as pulumi from "@pulumi/pulumi";
import type { DnsSurvey } from "../../plan/dns/intent";
import type { Plan } from "../../plan/plan";
import type { RecordAct } from "../../plan/step";

/** One DNS record, as the components ask for it. Names are full and lower case, contents plain (a TXT is not quoted). */
export interface RecordWish {
  readonly zone: string;
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "TXT";
  readonly content: pulumi.Input<string>;
}

/** A DNS vendor: one file that makes records and says whether they can be written now. */
export interface Dns {
  /** A resource for the record. */
  readonly record: (
    name: string,
    record: RecordWish,
    options: pulumi.CustomResourceOptions,
  ) => pulumi.CustomResource;
  /** Lists the zones, without changing anything. Never rejects. */
  readonly survey: () => Promise<Survey>;
  /** Claims the epoch of this plan before it is announced, under an id that this stack keeps. Rejects with a Refusal. */
  readonly claim: (plan: Pick<Plan, "epoch">, id: string) => Promise<void>;
  /** Removes this pair's claims, when it is let go. Never rejects. */
  readonly unclaim: () => Promise<void>;
  /** Looks once more just before a pivot is written; only "write" may be written. Rejects with a Refusal. */
  readonly reread: (plan: Pick<Plan, "epoch" | "to">, act: RecordAct) => Promise<"write" | "keep">;
  /**
   * Holds the pivots against what this plan wrote; gives what was seen, nothing where nobody can be asked. Rejects with a
   * Refusal that names a late write.
   */
  readonly hold: (plan: Pick<Plan, "epoch" | "to">, when: string) => Promise<string | undefined>;
}

/** Whether records can be written now, with the reason for people, and what the zones hold where they could be listed. */
export type Survey =
  { readonly ok: true; readonly list?: DnsSurvey } | { readonly ok: false; readonly why: string };
