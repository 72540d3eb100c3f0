// Answers on their way: written to IndexedDB first, sent in order, kept until the server has them.
import { createStore, del, entries, set, type UseStore } from "idb-keyval";
import { Refusal, send } from "./http";

export interface Letter {
  order: number;
  key: string; // the Idempotency-Key: a repeat is harmless
  owner: string; // user and project: nobody else's page sends it
  method: string;
  path: string;
  body: unknown;
  what: string; // for people: what was answered
}

export interface Refused {
  letter: Letter;
  reason: string;
}

const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;

/** One sender loop over a durable queue. Listens to nothing but the network; the page draws what `changed` says. */
export class Outbox {
  waiting = -1; // unknown until IndexedDB was read
  offline = false;
  private readonly store: UseStore;
  private busy = false;
  private again = false;
  private last = 0;
  private wait = FIRST_WAIT;
  private readonly sent = new Set<string>();

  constructor(
    private readonly owner: string,
    private readonly changed: () => void,
    private readonly refused: (refused: Refused) => void,
    private readonly delivered: (letter: Letter, answer: unknown) => void,
    private readonly signIn: () => void,
  ) {
    this.store = createStore("labelwise", "outbox");
    addEventListener("online", () => void this.flush());
    void this.count().then(() => this.flush());
  }

  /** Keep a letter; resolves when it is on disk. It counts as waiting from the first moment on. */
  async put(letter: Omit<Letter, "order" | "owner">): Promise<void> {
    this.last = Math.max(this.last + 1, Date.now());
    const kept: Letter = { ...letter, order: this.last, owner: this.owner };
    this.waiting = Math.max(0, this.waiting) + 1;
    this.changed();
    await set(`${this.owner} ${String(kept.order).padStart(16, "0")}`, kept, this.store);
    void this.flush();
  }

  /** Take an unsent letter back; false when it is on its way or has arrived. */
  async cancel(key: string): Promise<boolean> {
    if (this.sent.has(key)) return false;
    for (const [place, letter] of await this.mine()) {
      if (letter.key === key && !this.sent.has(key)) {
        await del(place, this.store);
        this.waiting -= 1;
        this.changed();
        return true;
      }
    }
    return false;
  }

  /** Send what waits, oldest first, until nothing is left or the network says no. */
  async flush(): Promise<void> {
    this.again = true;
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.again) {
        this.again = false;
        for (const [place, letter] of await this.mine()) {
          if (!(await this.deliver(place, letter))) return;
          this.again = true;
        }
      }
    } finally {
      this.busy = false;
    }
  }

  private async deliver(place: string, letter: Letter): Promise<boolean> {
    this.sent.add(letter.key);
    try {
      const headers = { "Idempotency-Key": letter.key };
      const answer = await send(letter.method, `/api/v1${letter.path}`, { body: letter.body, headers });
      this.delivered(letter, answer.value);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401) {
        this.sent.delete(letter.key);
        this.signIn();
        return false;
      }
      if (error.status === 0 || error.status >= 500 || error.status === 429) {
        this.sent.delete(letter.key);
        this.later();
        return false;
      }
      this.refused({ letter, reason: error.message });
    }
    await del(place, this.store);
    this.waiting -= 1;
    this.offline = false;
    this.wait = FIRST_WAIT;
    this.changed();
    return true;
  }

  private later(): void {
    this.offline = true;
    this.changed();
    setTimeout(() => void this.flush(), this.wait);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
  }

  private async mine(): Promise<[string, Letter][]> {
    const all = (await entries<string, Letter>(this.store)).filter(([place]) => place.startsWith(`${this.owner} `));
    return all.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  private async count(): Promise<void> {
    const before = Math.max(0, this.waiting);
    const stored = await this.mine();
    this.waiting = Math.max(before, stored.length);
    this.last = Math.max(this.last, ...stored.map(([, letter]) => letter.order));
    this.changed();
  }
}
