// People on many nodes: each is at home on another one, and each stream of theirs begins on the node after the last one's.
import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { User } from "@parlor/contract";
import type { Cursor, Driver, Live, Person } from "./driver.ts";

/**
 * @param drivers the same way to speak to each node
 * @param apart how many nodes from home somebody's first stream is: with 0, calls and stream begin at one node
 */
export function spreadDriver(drivers: readonly Driver[], apart = 0): Driver {
  let people = 0;
  const nextHome = (): number => people++ % drivers.length;
  const begin = async (act: (driver: Driver) => Promise<Person>): Promise<Person> => {
    const home = nextHome();
    return new SpreadPerson(drivers, home, apart, await act(drivers[home] as Driver));
  };
  return {
    name: `${drivers[0]?.name} on ${drivers.length} nodes`,
    signUp: (username) => begin((driver) => driver.signUp(username)),
    logIn: (username) => begin((driver) => driver.logIn(username)),
    withToken: (token, user) => {
      const home = nextHome();
      return new SpreadPerson(drivers, home, apart, (drivers[home] as Driver).withToken(token, user));
    },
  };
}

class SpreadPerson implements Person {
  readonly user: User;
  readonly token: string;
  readonly #drivers: readonly Driver[];
  readonly #byNode = new Map<number, Person>();
  readonly #home: Person;
  #next: number;

  constructor(drivers: readonly Driver[], home: number, apart: number, person: Person) {
    this.#drivers = drivers;
    this.#byNode.set(home, person);
    this.#home = person;
    this.#next = home + apart;
    this.user = person.user;
    this.token = person.token;
  }

  call<M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>): Promise<MessageShape<M["output"]>> {
    return this.#home.call(method, request);
  }

  connect(resume: readonly Cursor[] = []): Promise<Live> {
    const node = this.#next++ % this.#drivers.length;
    const person = this.#byNode.get(node) ?? (this.#drivers[node] as Driver).withToken(this.token, this.user);
    this.#byNode.set(node, person);
    return person.connect(resume);
  }

  close(): void {
    for (const person of this.#byNode.values()) person.close();
  }
}
