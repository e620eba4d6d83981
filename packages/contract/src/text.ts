// Measures of strings. All are linear, and most answer from the length alone without looking at the characters.

const PERHAPS_SURROGATE = 0xd800;

/** Whether a well-formed string has more than `limit` code points. */
export function longerThan(text: string, limit: number): boolean {
  if (text.length <= limit) return false;
  return text.length > 2 * limit || codePoints(text) > limit;
}

/** Whether a well-formed string has fewer than `limit` code points. */
export function shorterThan(text: string, limit: number): boolean {
  if (text.length < limit) return true;
  return text.length < 2 * limit && codePoints(text) < limit;
}

/** Whether a well-formed string takes more than `limit` bytes in UTF-8. */
export function largerThan(text: string, limit: number): boolean {
  if (text.length * 3 <= limit) return false;
  return text.length > limit || utf8Length(text) > limit;
}

function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= PERHAPS_SURROGATE && unit <= 0xdbff) count--;
  }
  return count;
}

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x800) bytes += unit >= PERHAPS_SURROGATE && unit <= 0xdfff ? 1 : 2;
    else if (unit >= 0x80) bytes++;
  }
  return bytes;
}
