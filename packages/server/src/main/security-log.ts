import type { SecurityEvent, SecurityLog } from "../domain/security-log.ts";
import type { Log } from "../ports/log.ts";

/** What an operator may have to act on; the rest is the ordinary course of things. */
const suspicious: ReadonlySet<SecurityEvent> = new Set(["sign_in_failed", "sign_in_locked", "refresh_token_reused", "access_denied"]);

/** Writes security events as lines of the log, told from others by `"security": true`. */
export function securityLog(log: Log): SecurityLog {
  return {
    record(entry) {
      const fields = { security: true, ...entry };
      const message = entry.event.replaceAll("_", " ");
      if (suspicious.has(entry.event)) log.warn(fields, message);
      else log.info(fields, message);
    },
  };
}
