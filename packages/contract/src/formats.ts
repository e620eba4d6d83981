import { FieldRules_Format as Format } from "./gen/parlor/options/v1/options_pb.js";
import { largerThan, longerThan, shorterThan } from "./text.ts";

/** A named shape of strings: the test, and what a string that fails it must be. */
export interface FormatRule {
  /** Takes any well-formed, non-empty string; linear in its length. */
  readonly accepts: (text: string) => boolean;
  readonly description: string;
  /** The same as a regular expression of JSON Schema, where one can say it. */
  readonly pattern?: string;
}

export const MAX_EMOJI_BYTES = 64;
export const MIN_PASSWORD_LENGTH = 8;
/** bcrypt reads no more; a longer password is refused rather than cut. */
export const MAX_PASSWORD_BYTES = 72;

const uuidPattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$";
const usernamePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{2,31}$";
const urlPattern = "^[Hh][Tt][Tt][Pp][Ss]?://";

const uuid = new RegExp(uuidPattern);
const username = new RegExp(usernamePattern);
const httpUrl = new RegExp(urlPattern);
const blankOrControl = /[\p{White_Space}\p{Cc}]/u;

// Anything but white space, controls, formatting (zero width and direction marks among it), and what fonts draw as nothing:
// fillers, variation selectors, the blank Braille pattern.
const visible = /[^\p{White_Space}\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u;
// Controls, line and paragraph separators, and the characters that embed, override or isolate a direction.
const unfitForName = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]|\p{M}{5}/u;

// The emoji that Unicode recommends, and any other pictograph or joined sequence of them: new emoji are refused by no old server.
const pictograph = "\\p{Extended_Pictographic}\\p{Emoji_Modifier}?[\\ufe0e\\ufe0f]?";
const emoji = new RegExp(`^(?:\\p{RGI_Emoji}|${pictograph}(?:\\u200d${pictograph})*)$`, "v");
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

function isEmoji(text: string): boolean {
  if (largerThan(text, MAX_EMOJI_BYTES) || !emoji.test(text)) return false;
  const [first] = graphemes.segment(text);
  return first?.segment.length === text.length;
}

function isHttpUrl(text: string): boolean {
  return httpUrl.test(text) && !blankOrControl.test(text) && URL.canParse(text);
}

const isPassword = (text: string): boolean => !shorterThan(text, MIN_PASSWORD_LENGTH) && !largerThan(text, MAX_PASSWORD_BYTES);

export const formats: Readonly<Record<Exclude<Format, Format.FORMAT_UNSPECIFIED>, FormatRule>> = {
  [Format.UUID]: {
    accepts: (text) => text.length === 36 && uuid.test(text),
    description: "must be a UUID in lower case",
    pattern: uuidPattern,
  },
  [Format.USERNAME]: {
    accepts: (text) => !longerThan(text, 32) && username.test(text),
    description: 'must be 3 to 32 of a-z, 0-9, ".", "_", "-", beginning with a letter or digit',
    pattern: usernamePattern,
  },
  [Format.EMOJI]: { accepts: isEmoji, description: "must be one emoji" },
  [Format.PASSWORD]: { accepts: isPassword, description: "must be at least 8 characters and at most 72 bytes of UTF-8" },
  [Format.URL]: { accepts: isHttpUrl, description: "must be an absolute https or http URL", pattern: urlPattern },
  [Format.VISIBLE_TEXT]: { accepts: (text) => visible.test(text), description: "must show something" },
  [Format.VISIBLE_NAME]: {
    accepts: (text) => visible.test(text) && !unfitForName.test(text),
    description:
      "must show something, on one line, without controls or text-direction overrides, and with at most 4 combining marks in a row",
  },
};
