import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ParlorError, type VerifyTokenRequest, type VerifyTokenResponseSchema } from "@parlor/contract";
import { claimsOf } from "../../domain/forwarded-call.ts";
import type { AuthContext } from "./auth-context.ts";

export async function verifyToken(
  { identities }: AuthContext,
  request: VerifyTokenRequest,
): Promise<MessageInitShape<typeof VerifyTokenResponseSchema>> {
  try {
    // Who asks keeps the answer for some seconds.
    return { outcome: { case: "claims", value: claimsOf(await identities.verify(request.token, { fresh: true })) } };
  } catch (error) {
    if (error instanceof ParlorError && error.code === Code.UNAUTHENTICATED) return { outcome: { case: "refused", value: error.reason } };
    throw error;
  }
}
