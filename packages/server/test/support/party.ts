// Some people who are in one room, each on another protocol.
import { Room_Visibility, RoomsService } from "@parlor/contract";
import type { Driver, Person } from "./drivers/driver.ts";
import { driversOf } from "./drivers/index.ts";

let parties = 0;

/** A name that nobody has. */
export function newName(): string {
  return `guest-${process.pid}-${Date.now().toString(36)}-${++parties}`;
}

export interface Party extends Disposable {
  /** Made the room. */
  readonly host: Person;
  /** One for each driver, in their order. */
  readonly guests: readonly Person[];
  readonly drivers: readonly Driver[];
  readonly roomId: string;
}

export async function party(server: { readonly port: number; readonly url: string }, visibility = Room_Visibility.PRIVATE): Promise<Party> {
  const drivers = driversOf(server);
  const guests = await Promise.all(drivers.map((driver) => driver.signUp(newName())));
  const host = await (drivers[1] as Driver).signUp(newName());
  const memberIds = visibility === Room_Visibility.PRIVATE ? guests.map(({ user }) => user.id) : [];
  const { room } = await host.call(RoomsService.method.createRoom, { name: "Party", visibility, memberIds });
  const close = (): void => {
    for (const person of [host, ...guests]) person.close();
  };
  return { host, guests, drivers, roomId: room?.id ?? "", [Symbol.dispose]: close };
}
