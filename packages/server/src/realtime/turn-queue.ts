/** Something with work to do at the end of a turn of the event loop. */
export interface TurnTask {
  /** Works until done, or a little past `deadline` (performance.now); says whether it is done. Never throws. */
  run(deadline: number): boolean;
}

/** After this much fan-out (milliseconds) the event loop gets its turn. */
const sliceMs = 4;

/** Gathers tasks during a turn of the event loop and runs each once at its end: what makes one write of many events. */
export class TurnQueue {
  #tasks = new Set<TurnTask>();
  #scheduled = false;

  add(task: TurnTask): void {
    this.#tasks.add(task);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#run();
    });
  }

  #run(): void {
    const deadline = performance.now() + sliceMs;
    const tasks = this.#tasks;
    this.#tasks = new Set();
    for (const task of tasks) {
      if (performance.now() > deadline || !task.run(deadline)) this.#tasks.add(task);
    }
    if (this.#tasks.size > 0) this.#schedule();
  }
}
