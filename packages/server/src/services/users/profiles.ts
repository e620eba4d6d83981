import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  GetMeRequest,
  GetMeResponseSchema,
  GetUserRequest,
  GetUserResponseSchema,
  SearchUsersRequest,
  SearchUsersResponseSchema,
  UpdateProfileRequest,
  UpdateProfileResponseSchema,
} from "@parlor/contract";
import { type Call, callerOf } from "../../domain/call.ts";
import { pageScope, pageSizeOf } from "../../domain/page-tokens.ts";
import { notExisting } from "../../domain/refusals.ts";
import { findUser, searchUsers as searchRows, type UserRow, updateUser } from "../../store/users.ts";
import { userMessage } from "./user-message.ts";
import type { UsersContext } from "./users-context.ts";

export async function getMe(
  { store }: UsersContext,
  _request: GetMeRequest,
  call: Call,
): Promise<MessageInitShape<typeof GetMeResponseSchema>> {
  return { user: userMessage(existing(await findUser(store, callerOf(call).userId))) };
}

export async function updateProfile(
  { store }: UsersContext,
  { displayName, bio, avatarUrl }: UpdateProfileRequest,
  call: Call,
): Promise<MessageInitShape<typeof UpdateProfileResponseSchema>> {
  const { userId } = callerOf(call);
  const change = {
    ...(displayName === undefined ? {} : { display_name: displayName }),
    ...(bio === undefined ? {} : { bio }),
    ...(avatarUrl === undefined ? {} : { avatar_url: avatarUrl }),
  };
  const unchanged = Object.keys(change).length === 0;
  return { user: userMessage(existing(await (unchanged ? findUser(store, userId) : updateUser(store, userId, change)))) };
}

export async function getUser(
  { store }: UsersContext,
  { userId }: GetUserRequest,
): Promise<MessageInitShape<typeof GetUserResponseSchema>> {
  return { user: userMessage(existing(await findUser(store, userId))) };
}

export async function searchUsers(
  { store, pageTokens }: UsersContext,
  { query, pageSize, pageToken }: SearchUsersRequest,
  call: Call,
): Promise<MessageInitShape<typeof SearchUsersResponseSchema>> {
  const scope = pageScope("SearchUsers", callerOf(call).userId, query);
  const size = pageSizeOf(pageSize);
  const after = pageTokens.open(scope, pageToken)?.[0] as string | undefined;
  const rows = await searchRows(store, { query, after, limit: size + 1 });
  const { items, nextPageToken } = pageTokens.cut(scope, rows, size, (row) => [row.username]);
  return { users: items.map(userMessage), nextPageToken };
}

function existing(row: UserRow | undefined): UserRow {
  if (!row) throw notExisting();
  return row;
}
