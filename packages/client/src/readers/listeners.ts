/** Functions that are called when something happens, by its name. */
export class Listeners<Happenings extends object> {
  readonly #byName = new Map<keyof Happenings, Set<(value: never) => void>>();

  /** Calls `listener` from now on. The function returned ends that. */
  on<K extends keyof Happenings>(name: K, listener: (value: Happenings[K]) => void): () => void {
    const listeners = this.#byName.get(name) ?? new Set();
    // A function of its own, so that one listener that was added twice is called twice and removed once.
    const entry = (value: Happenings[K]): void => listener(value);
    listeners.add(entry);
    this.#byName.set(name, listeners);
    return () => void listeners.delete(entry);
  }

  emit<K extends keyof Happenings>(name: K, value: Happenings[K]): void {
    for (const listener of this.#byName.get(name) ?? []) callListener(listener as (value: Happenings[K]) => void, value);
  }
}

/** What a listener throws is the application's fault: it is shown as an uncaught error and disturbs nobody else. */
export function callListener<T>(listener: (value: T) => void, value: T): void {
  try {
    listener(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
