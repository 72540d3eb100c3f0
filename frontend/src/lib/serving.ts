// What the server hands out, and the items in hand: the next ones are here before they are needed.
import { loadAhead } from "./clips-ahead";
import { call, Refusal } from "./http";

export interface ClassView {
  id: number;
  question?: string;
  name: string;
  color: string;
  hotkey: string | null;
  description: string;
  retired?: boolean;
}

export interface Picture {
  media: number;
  url: string;
  width?: number;
  height?: number;
  name?: string;
}

/** A stored sound. */
export interface Clip {
  media: number;
  url: string;
  seconds?: number;
  name?: string;
}

/** A stored video. */
export interface Film extends Clip {
  width?: number;
  height?: number;
  frames_per_second?: number;
}

export interface ItemView {
  id: number;
  key: string;
  text?: string;
  candidates?: string[]; // what a comparison puts in order, beside the text as the prompt
  image?: Picture;
  audio?: Clip;
  video?: Film;
  row?: Record<string, unknown>;
}

export interface LeaseView {
  id: number;
  expires_at: string;
  item: ItemView;
  suggestion: { label: LabelView; probability: number } | null;
  reason: { strategy?: string; score?: number | null; rank?: number | null; words?: string } | null;
}

/** A label in the API's form: of one question, or of several by their names. */
export interface LabelView {
  class?: string;
  classes?: string[];
  value?: number;
  ranking?: number[];
  text?: string;
  unanswerable?: true;
  fields?: Record<string, LabelView>;
}

/** The class names of a label. */
export const names = (label: LabelView): string[] => label.classes ?? (label.class ? [label.class] : []);

export interface Served {
  state: "serving" | "preparing" | "exhausted" | "paused" | "closed";
  retry_after_seconds: number | null;
  round: number | null;
  words: string | null;
  leases: LeaseView[];
}

const IN_HAND = 6; // enough for a slow network, few enough that a new order is soon felt
const REFILL_AT = 4;
const RENEW_MS = 240_000;
const VIDEOS_AHEAD = 2;
const IN_USE_MS = 600_000; // whoever touched nothing for so long lets his items go to others

/** The leases in hand. `changed` is called when there is something new to draw. */
export class Hand {
  leases: LeaseView[] = [];
  state: Served["state"] | "loading" | "unreachable" = "loading";
  words: string | null = null;
  round: number | null = null;
  private asking: Promise<void> | null = null;
  private timer = 0;
  private readonly done = new Set<number>();
  private readonly pictures = new Map<number, HTMLImageElement>(); // kept, so that they stay decoded

  constructor(
    private readonly project: number,
    private readonly changed: () => void,
    private readonly inUse: (milliseconds: number) => boolean,
  ) {
    setInterval(() => void this.renew(), RENEW_MS);
    document.addEventListener("visibilitychange", () => void this.renew());
  }

  /** The lease whose item is on screen. */
  get current(): LeaseView | undefined {
    return this.leases[0];
  }

  /** Begin, leaving out what was answered but has not arrived yet. */
  start(answered: number[]): void {
    for (const lease of answered) this.done.add(lease);
    void this.refill();
  }

  /** Take the current lease out of the hand. */
  next(): LeaseView | undefined {
    const lease = this.leases.shift();
    if (lease) this.done.add(lease.id);
    this.ahead();
    if (this.leases.length < REFILL_AT) void this.refill();
    return lease;
  }

  /** Put a lease on top of the hand again. */
  putBack(lease: LeaseView): void {
    this.done.delete(lease.id);
    this.leases = [lease, ...this.leases.filter((each) => each.id !== lease.id)];
    this.changed();
  }

  /** Fetch a lease of one's own again and put it on top. */
  async reopen(id: number): Promise<void> {
    await this.asking;
    this.done.delete(id);
    await this.refill();
    const found = this.leases.find((each) => each.id === id);
    if (found) this.putBack(found);
  }

  /** Another tab answered it: it goes out of this hand. */
  drop(id: number): void {
    this.done.add(id);
    this.leases = this.leases.filter((each) => each.id !== id);
    if (this.leases.length < REFILL_AT) void this.refill();
    this.changed();
  }

  /** The server has this answer: its lease no longer counts among those in hand there. */
  settled(lease: number): void {
    this.done.delete(lease);
  }

  /** Ask for more; the answer begins with what is in hand, so a reload shows the same items. */
  refill(): Promise<void> {
    this.asking ??= this.ask().finally(() => {
      this.asking = null;
      this.changed();
    });
    return this.asking;
  }

  private async ask(): Promise<void> {
    clearTimeout(this.timer);
    try {
      const body = { count: Math.min(50, IN_HAND + this.done.size) };
      const served = await call<Served>("POST", `/projects/${this.project}/leases`, { body });
      this.take(served);
      if (!this.leases.length) this.again(served.retry_after_seconds ?? (served.state === "serving" ? 0.5 : 5));
    } catch {
      if (!this.leases.length) this.state = "unreachable";
      this.again(3);
    }
  }

  private take(served: Served): void {
    const known = new Set(this.leases.map((each) => each.id));
    const fresh = served.leases.filter((each) => !known.has(each.id) && !this.done.has(each.id));
    const taken = fresh.slice(0, IN_HAND - this.leases.length + 5);
    this.leases.push(...taken);
    for (const each of taken) void this.decode(each);
    this.ahead();
    const held = new Set(this.leases.map((each) => each.id));
    for (const id of this.pictures.keys()) if (!held.has(id)) this.pictures.delete(id);
    this.state = served.state;
    this.words = served.words;
    this.round = served.round ?? this.round;
  }

  private again(seconds: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.refill(), Math.min(30, seconds) * 1000);
  }

  private async renew(): Promise<void> {
    if (!this.inUse(IN_USE_MS)) return;
    for (const each of [...this.leases]) {
      try {
        await call("POST", `/leases/${each.id}/renew`);
      } catch (error) {
        if (!(error instanceof Refusal) || error.status === 0 || error.status === 401) return;
        // It ended meanwhile. The item on screen stays: a late answer is kept all the same.
        if (each !== this.current) this.leases = this.leases.filter((other) => other !== each);
      }
    }
    if (this.leases.length < REFILL_AT) void this.refill();
  }

  /** The next videos load; the one on screen has its own element. */
  private ahead(): void {
    const videos = this.leases.map(({ item }) => item.video?.url ?? "");
    loadAhead(videos.slice(1, 1 + VIDEOS_AHEAD).filter(Boolean), videos);
  }

  private async decode({ id, item }: LeaseView): Promise<void> {
    if (item.audio) void fetch(item.audio.url).catch(() => undefined); // kept by the browser: it never changes
    const shown = item.image?.url ?? (item.audio && `${item.audio.url}/thumbnail?side=1024`);
    if (!shown) return;
    const picture = new Image();
    picture.src = shown;
    this.pictures.set(id, picture);
    await picture.decode().catch(() => undefined); // the viewer says when a picture cannot be read
  }
}
