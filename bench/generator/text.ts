/** Begins the text of every message, and occurs nowhere else in what any server sends. Its four bytes all differ. */
export const MARKER = "~@^|";

/** The text of every message: 200 bytes of ASCII that no encoding here escapes. */
export const TEXT = `${MARKER} ${"A line of chat, about as long as those that people write. ".repeat(4)}`.slice(0, 200);
