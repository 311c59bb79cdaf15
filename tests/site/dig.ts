/** What dig prints for `+noall +comments +answer`. */
export interface DigAnswer {
  readonly status?: string;
  readonly flags?: string;
  readonly lines: readonly string[];
}

export const OWNER = "_standby-shop.shop.test";

export function txt(content: string, owner = OWNER): string {
  return `${owner}.\t60\tIN\tTXT\t"${content}"`;
}

export function digText({ status = "NOERROR", flags = "qr aa", lines }: DigAnswer): string {
  return `;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: ${status}, id: 4711
;; flags: ${flags}; QUERY: 1, ANSWER: ${lines.length}, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; ANSWER SECTION:
${lines.join("\n")}
`;
}
