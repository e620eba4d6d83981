import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type User, UserSchema } from "@parlor/contract";
import type { UserRow } from "../../store/users.ts";

/** A person as everybody may see them. */
export function userMessage(row: UserRow): User {
  return create(UserSchema, {
    id: row.id,
    username: row.username,
    displayName: row.display_name,
    bio: row.bio,
    avatarUrl: row.avatar_url,
    role: row.role,
    createdAt: timestampFromDate(row.created_at),
    deactivated: row.deactivated_at !== null,
  });
}
