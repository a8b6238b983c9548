/** The rule of features/presentation/spreadsheet.py, which says why; a test holds the two together. */
const BEFORE =
  /(?:^|(?<=[;\t\r\n]))(?=[ \"'\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]*[=+\-@\t\r\n\u207a\u207c\u208a\u208c\u2a75\u2a76\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20])/g;

/** A cell of a CSV file: a spreadsheet must not take a text for a formula; a number stays one. */
export function cell(value) {
  const text = String(value ?? "");
  const safe = typeof value === "string" ? text.replace(BEFORE, "'") : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
