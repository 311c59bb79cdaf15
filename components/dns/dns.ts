import type * as pulumi from "@pulumi/pulumi";
import type { DnsSurvey } from "../../plan/dns/intent";

/** One DNS record, as the components ask for it. Names are full and lower case, contents plain (a TXT is not quoted). */
export interface RecordWish {
  readonly zone: string;
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "TXT";
  readonly content: string;
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
}

/** Whether records can be written now, with the reason for people, and what the zones hold where they could be listed. */
export type Survey =
  { readonly ok: true; readonly list?: DnsSurvey } | { readonly ok: false; readonly why: string };
