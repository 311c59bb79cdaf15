/**
 * The character strings of a TXT record's content: `"a" "b"` gives two, unquoted text gives one, and anything
 * longer than 255 bytes is cut as the vendor cuts it.
 */
export function txtStrings(content: string): Buffer[] {
  const quoted = content.match(/"(?:[^"\\]|\\.)*"/gs);
  const parts = content.startsWith('"') && quoted ? quoted.map(unquote) : [Buffer.from(content)];
  return parts.flatMap(cut);
}

/** Two contents are the same TXT data when their bytes are, however they were quoted. */
export function sameText(left: string, right: string): boolean {
  return Buffer.concat(txtStrings(left)).equals(Buffer.concat(txtStrings(right)));
}

function unquote(text: string): Buffer {
  const inner = text.slice(1, -1);
  const plain = inner.replace(/\\(\d{3}|.)/gs, (_, escape: string) =>
    escape.length === 3 ? String.fromCharCode(Number(escape)) : escape,
  );
  return Buffer.from(plain);
}

function cut(text: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < text.length; at += 255) pieces.push(text.subarray(at, at + 255));
  return pieces.length > 0 ? pieces : [Buffer.alloc(0)];
}
