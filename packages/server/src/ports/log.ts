/**
 * The server's log. Fields come first, then a sentence that is the same for every line of its kind. Values under names that
 * speak of secrets (token, password, authorization ...) are left out of what is written, at any depth.
 */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A log that writes these fields on each of its lines. */
  child(fields: object): Log;
}

/** A log that nobody reads. */
export const noLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => noLog,
};
