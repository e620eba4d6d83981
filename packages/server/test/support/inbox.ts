/** How long a test waits for something before it says what came instead (milliseconds). */
const patience = 20_000;

/** Things that come one by one, kept in their order, for tests that wait for one of them. */
export class Inbox<T> {
  readonly items: T[] = [];
  readonly #watchers = new Set<() => void>();
  #listener: (item: T) => void = () => undefined;

  /** Calls the listener with every item that comes from now on. */
  onItem(listener: (item: T) => void): void {
    this.#listener = listener;
  }

  put(item: T): void {
    this.items.push(item);
    this.#listener(item);
    for (const look of [...this.#watchers]) look();
  }

  /** The first item of this kind, whether it came already or comes later. */
  async find(wanted: (item: T) => boolean): Promise<T> {
    await this.until((items) => items.some(wanted));
    return this.items.find(wanted) as T;
  }

  /** Resolves once what has come is enough. */
  until(enough: (items: readonly T[]) => boolean): Promise<void> {
    if (enough(this.items)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!enough(this.items)) return;
        this.#watchers.delete(look);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        reject(new Error(`It did not come; the last of ${this.items.length} items were ${shown(this.items.slice(-5))}`));
      }, patience);
      this.#watchers.add(look);
    });
  }
}

function shown(items: readonly unknown[]): string {
  return JSON.stringify(items, (_key, value: unknown) => (typeof value === "bigint" ? Number(value) : value));
}
