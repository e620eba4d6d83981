const count = 3000;
let common: Promise<ReadonlySet<string>> | undefined;

/**
 * Whether a password is among the 3,000 commonest of 8 characters or more, without regard to case. The list is read when it
 * is first asked for, since few processes ever need it and it takes some 40 ms.
 */
export async function isCommonPassword(password: string): Promise<boolean> {
  common ??= readCommonPasswords();
  return (await common).has(password.toLowerCase());
}

async function readCommonPasswords(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import("@zxcvbn-ts/language-common");
  const found = new Set<string>();
  for (const password of dictionary["passwords-common"]) {
    if (password.length >= 8) found.add(password);
    if (found.size === count) break;
  }
  return found;
}
