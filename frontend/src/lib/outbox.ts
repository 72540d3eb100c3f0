// Answers on their way: written to IndexedDB first, sent in order, kept until the server has them.
import { createStore, del, entries, get, set, type UseStore } from "idb-keyval";
import { Refusal, renewToken, send } from "./http";

export interface Letter {
  order: number;
  key: string; // the Idempotency-Key: a repeat is harmless
  owner: string; // user and project: nobody else's page sends it
  method: string;
  path: string;
  body: unknown;
  what: string; // for people: what was answered
}

/** What the page does when something happens to a letter. */
export interface Events {
  changed: () => void;
  refused: (letter: Letter, reason: string) => void;
  delivered: (letter: Letter, answer: unknown) => void;
  takenElsewhere: (lease: number) => void; // another tab of the same person answered it
  signIn: () => void;
}

interface News {
  owner: string;
  lease?: number | undefined;
  trying?: string; // it may arrive from now on
  sent?: string;
}

/** A refusal as the person reads it. */
export const notStored = (letter: Letter, reason: string): string => `Not stored: ${letter.what}. ${reason}`;

const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;

/** The lease that a letter answers or skips; undefined for other letters. */
export function leaseOf(letter: { path: string; body: unknown }): number | undefined {
  const inPath = /^\/leases\/(\d+)\//.exec(letter.path)?.[1];
  return (letter.body as { lease?: number } | null)?.lease ?? (inPath ? Number(inPath) : undefined);
}

/** One sender loop over a queue that lives in memory and, letter for letter, on disk. */
export class Outbox {
  offline = false;
  stranger = false; // somebody else is signed in by now: nothing is sent in his name
  readonly ready: Promise<void>;
  private readonly store: UseStore = createStore("labelwise", "outbox");
  private readonly channel = new BroadcastChannel("labelwise outbox");
  private readonly tried = new Set<string>();
  private readonly loose = new Set<string>(); // not on disk yet; where the disk is closed to us, never
  private letters: Letter[] = []; // oldest first
  private loaded = false;
  private running: Promise<void> | null = null;
  private last = 0;
  private wait = FIRST_WAIT;
  private timer = 0;

  constructor(
    private readonly owner: string,
    private readonly person: number,
    private readonly events: Events,
  ) {
    addEventListener("online", () => void this.flush());
    addEventListener("beforeunload", (event) => {
      if (this.loose.size) event.preventDefault(); // leaving now could lose an answer: the browser asks
    });
    this.channel.onmessage = ({ data }: MessageEvent<News>) => this.heard(data);
    this.ready = this.load();
    void this.flush();
  }

  /** How many letters the server does not have yet; -1 before the disk was read. */
  get waiting(): number {
    return this.loaded ? this.letters.length : -1;
  }

  /** Whether all that waits is on disk: the page may be closed. */
  get kept(): boolean {
    return this.loose.size === 0;
  }

  /** The leases that waiting letters answer: they must not be shown again. */
  leases(): number[] {
    return this.letters.map(leaseOf).filter((lease) => lease !== undefined);
  }

  /** Keep a letter, on disk before it is sent. It counts as waiting from the first moment on. */
  put(letter: Omit<Letter, "order" | "owner">): void {
    this.last = Math.max(this.last + 1, Date.now());
    const kept: Letter = { ...letter, order: this.last, owner: this.owner };
    this.letters.push(kept);
    this.loose.add(kept.key);
    this.tell({ owner: this.owner, lease: leaseOf(kept) });
    this.events.changed();
    void this.keep(kept).then(() => this.flush());
  }

  /** Take a letter back that surely never left; false when it may have arrived. */
  async cancel(key: string): Promise<boolean> {
    const letter = this.letters.find((each) => each.key === key);
    if (!letter || this.tried.has(key)) return false;
    await this.remove(letter);
    return true;
  }

  /** Whether the letter still waits here. */
  has(key: string): boolean {
    return this.letters.some((each) => each.key === key);
  }

  /** Send what waits, oldest first; resolves when nothing is left or the network says no. */
  flush(): Promise<void> {
    this.running ??= this.run();
    return this.running;
  }

  private async run(): Promise<void> {
    try {
      await this.ready;
      for (let letter = this.letters[0]; letter; letter = this.letters[0]) {
        if (!(await this.deliver(letter))) return;
      }
    } finally {
      this.running = null;
    }
  }

  private async deliver(letter: Letter): Promise<boolean> {
    if (!(await this.stillKept(letter))) return true; // another tab sent it or took it back
    if (this.letters[0] !== letter) return true;
    this.tried.add(letter.key);
    this.tell({ owner: this.owner, trying: letter.key });
    try {
      const headers = { "Idempotency-Key": letter.key };
      const answer = await send(letter.method, `/api/v1${letter.path}`, { body: letter.body, headers });
      await this.remove(letter);
      this.events.delivered(letter, answer.value);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const next = await this.afterwards(error);
      if (next !== "refused") return next === "again";
      this.events.refused(letter, error.message); // told before it is forgotten: the page may go at any moment
      await this.remove(letter);
    }
    this.offline = this.stranger = false;
    this.wait = FIRST_WAIT;
    this.events.changed();
    return true;
  }

  /** What a refusal means: send it again now, later, or never. */
  private async afterwards({ status }: Refusal): Promise<"again" | "later" | "refused"> {
    if (status === 0 && !navigator.onLine) this.tried.clear(); // it surely never left
    if (status === 0 || status >= 500 || status === 429 || status === 408) return this.later();
    if (status === 401) {
      this.events.signIn();
      return "later";
    }
    if (status !== 403) return "refused";
    const { person, renewed } = await renewToken();
    this.stranger = person !== null && person !== this.person;
    if (person === null || this.stranger) return this.later();
    return renewed ? "again" : "refused";
  }

  private later(): "later" {
    this.offline = true;
    this.events.changed();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.flush(), this.wait);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
    return "later";
  }

  private place(letter: Letter): string {
    return `${this.owner} ${String(letter.order).padStart(16, "0")} ${letter.key}`;
  }

  private async keep(letter: Letter): Promise<void> {
    try {
      await set(this.place(letter), letter, this.store);
      this.loose.delete(letter.key);
    } catch {
      // it stays in memory alone; the page says so, and asks before it is left
    }
    this.events.changed();
  }

  private async stillKept(letter: Letter): Promise<boolean> {
    if (this.loose.has(letter.key)) return true;
    try {
      if ((await get(this.place(letter), this.store)) !== undefined) return true;
    } catch {
      return true;
    }
    this.letters = this.letters.filter((each) => each !== letter);
    this.events.changed();
    return false;
  }

  private async remove(letter: Letter): Promise<void> {
    this.letters = this.letters.filter((each) => each !== letter);
    this.loose.delete(letter.key);
    this.tell({ owner: this.owner, sent: letter.key });
    this.events.changed();
    try {
      await del(this.place(letter), this.store); // a disk that is closed to us may throw at once
    } catch {
      // it was in memory alone
    }
  }

  private async load(): Promise<void> {
    await null; // the page is put together first, also where the disk refuses at once
    try {
      const all = await entries<string, Letter>(this.store);
      const known = new Set(this.letters.map((each) => each.key));
      const stored = all
        .map(([, letter]) => letter)
        .filter((each) => each.owner === this.owner && !known.has(each.key));
      this.letters = [...stored, ...this.letters].sort((a, b) => a.order - b.order);
      this.last = Math.max(this.last, ...this.letters.map((each) => each.order));
    } catch {
      // a browser that keeps nothing on disk: this page's memory must do
    }
    this.loaded = true;
    this.events.changed();
  }

  private tell(news: News): void {
    this.channel.postMessage(news);
  }

  private heard(news: News): void {
    if (news.owner !== this.owner) return;
    if (news.lease !== undefined) this.events.takenElsewhere(news.lease);
    if (news.trying) this.tried.add(news.trying);
    const sent = this.letters.find((each) => each.key === news.sent);
    if (!sent) return;
    this.letters = this.letters.filter((each) => each !== sent);
    this.offline = this.stranger = false; // the other page got through
    this.events.delivered(sent, null);
    this.events.changed();
  }
}
