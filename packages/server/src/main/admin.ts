// What the operator of a server may do without an account: the commands of `parlor user`, `parlor token` and `parlor key`. Requests and
// results are plain data, so that they can cross the control socket.

/** A role's name, as in the contract's User.Role. */
export type RoleName = "GUEST" | "USER" | "MODERATOR" | "ADMIN";
/** A scope's name, as in the contract's ApiToken.Scope. */
export type ScopeName = "READ" | "WRITE" | "ROOMS" | "ADMINISTER";

export interface AdminUser {
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  readonly role: RoleName;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly deactivated: boolean;
}

export interface AdminToken {
  readonly id: string;
  /** The secret; it cannot be shown again. */
  readonly token: string;
  readonly name: string;
  readonly scopes: readonly ScopeName[];
  /** RFC 3339; left out when the token does not expire. */
  readonly expiresAt?: string;
}

/** A key that signs access tokens, or has. */
export interface AdminKey {
  /** The `kid` of tokens and of /.well-known/jwks.json. */
  readonly id: string;
  /** NEXT: it signs as soon as every node knows it. ACCEPTED: what it has signed is good still. */
  readonly use: "NEXT" | "SIGNING" | "ACCEPTED";
  /** RFC 3339; left out for a key of PARLOR_SIGNING_KEY_FILE. */
  readonly createdAt?: string;
}

/** Every method fails with a ParlorError. People are named by their user name. */
export interface Admin {
  createUser(request: {
    readonly username: string;
    readonly password: string;
    readonly displayName?: string;
    readonly role: RoleName;
  }): Promise<AdminUser>;
  setRole(request: { readonly username: string; readonly role: RoleName }): Promise<AdminUser>;
  deactivate(request: { readonly username: string }): Promise<AdminUser>;
  reactivate(request: { readonly username: string }): Promise<AdminUser>;
  /** People by user name, those after `after`, at most 200. */
  listUsers(request: { readonly role?: RoleName; readonly after?: string }): Promise<{ readonly users: readonly AdminUser[] }>;
  createToken(request: {
    readonly username: string;
    readonly name: string;
    readonly scopes: readonly ScopeName[];
    /** RFC 3339; left out, the token does not expire. */
    readonly expiresAt?: string;
  }): Promise<AdminToken>;
  /** The newest first. */
  listKeys(request: object): Promise<{ readonly keys: readonly AdminKey[] }>;
  /** Makes a key, which signs soon; the one before is still accepted, older ones no more. Answers as `listKeys`. */
  rotateKey(request: object): Promise<{ readonly keys: readonly AdminKey[] }>;
}
