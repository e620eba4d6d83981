import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ParlorError, type VerifyTokenRequest, type VerifyTokenResponseSchema } from "@parlor/contract";
import type { Caller } from "../../domain/call.ts";
import type { AuthContext } from "./auth-context.ts";

export async function verifyToken(
  { identities }: AuthContext,
  request: VerifyTokenRequest,
): Promise<MessageInitShape<typeof VerifyTokenResponseSchema>> {
  try {
    return { outcome: { case: "claims", value: claimsOf(await identities.verify(request.token)) } };
  } catch (error) {
    if (error instanceof ParlorError && error.code === Code.UNAUTHENTICATED) return { outcome: { case: "refused", value: error.reason } };
    throw error;
  }
}

function claimsOf({ userId, username, role, sessionId, scopes, expiresAt }: Caller) {
  const claims = { userId, username, role, sessionId, scopes: [...(scopes ?? [])] };
  return expiresAt === undefined ? claims : { ...claims, expiresAt: timestampFromMs(expiresAt) };
}
