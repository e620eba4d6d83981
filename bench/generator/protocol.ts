/** Where a server is and what its clients need to get in; the shape of `access` is between a subject and its protocol. */
export interface Door {
  readonly port: number;
  /** Where it runs on several nodes: their ports, the one above among them. */
  readonly nodes?: readonly number[];
  readonly [name: string]: unknown;
}

/** Told how many messages a member has just received. */
export type Heard = (messages: number) => void;

/** A member that only listens. */
export interface Listener {
  close(): void;
}

/** The member that sends. It hears its own messages like anyone, which checks the counts of the others. */
export interface Publisher {
  /** Sends so many messages in one write. */
  send(messages: number): void;
  /** How many of its messages came back to it, and were acknowledged where the protocol acknowledges. */
  readonly confirmed: number;
  close(): void;
}

/** The door that a member of this number takes: members go to the nodes in turn. */
export function doorOf<D extends Door>(door: D, member: number): D {
  return door.nodes ? { ...door, port: door.nodes[member % door.nodes.length] as number } : door;
}

/** How the members of a room speak to one kind of server. */
export interface Protocol {
  /** Joins a member, numbered from 0; resolves once it hears all that is sent from now on. */
  listen(door: Door, member: number, heard: Heard): Promise<Listener>;
  /** Joins the member that sends. */
  publish(door: Door): Promise<Publisher>;
}
