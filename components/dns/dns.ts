import type * as pulumi from "@pulumi/pulumi";

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
  /** Asks the vendor's API, without changing anything. The reason is for people. */
  readonly writable: () => Promise<
    { readonly ok: true } | { readonly ok: false; readonly why: string }
  >;
}
