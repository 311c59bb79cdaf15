import { problems } from "./problems";
import type { RecordDraft } from "./records";
import { sameText } from "./text";

const addressTypes = new Set(["A", "AAAA"]);

/**
 * Throws when two records cannot share a name. Unlike in the RFCs, MX and TXT may stand beside a CNAME here;
 * an apex has NS records of its own, so those never conflict.
 */
export function refuseConflict(draft: RecordDraft, other: RecordDraft, zone: string): void {
  if (draft.type === other.type && sameContent(draft, other)) throw problems.identicalExists();
  const address = addressTypes.has(draft.type);
  if (address && other.type === "CNAME") throw problems.cnameExists();
  if (draft.type === "CNAME" && (addressTypes.has(other.type) || other.type === "CNAME")) {
    throw problems.addressOrCnameExists();
  }
  if (draft.name === zone) return;
  if (draft.type === "NS" && addressTypes.has(other.type)) throw problems.addressExists();
  if (draft.type === "NS" && other.type === "CNAME") throw problems.addressOrCnameExists();
  if (other.type === "NS" && (address || draft.type === "CNAME")) throw problems.nsExists();
}

function sameContent(left: RecordDraft, right: RecordDraft): boolean {
  if (left.priority !== right.priority) return false;
  return left.type === "TXT"
    ? sameText(left.content, right.content)
    : left.content === right.content;
}
