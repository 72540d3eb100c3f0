// What the server hands out, and the items in hand: the next ones are here before they are needed.
import { call } from "./http";

export interface ClassView {
  id: number;
  name: string;
  color: string;
  hotkey: string | null;
  description: string;
}

export interface Picture {
  media: number;
  url: string;
  width?: number;
  height?: number;
  name?: string;
}

export interface ItemView {
  id: number;
  key: string;
  text?: string;
  image?: Picture;
  row?: Record<string, unknown>;
}

export interface LeaseView {
  id: number;
  expires_at: string;
  item: ItemView;
  suggestion: { label: LabelView; probability: number } | null;
  reason: { strategy?: string; score?: number | null; words?: string } | null;
}

export interface LabelView {
  class?: string;
  classes?: string[];
}

export interface Served {
  state: "serving" | "preparing" | "exhausted" | "paused" | "closed";
  retry_after_seconds: number | null;
  round: number | null;
  words: string | null;
  leases: LeaseView[];
}

const IN_HAND = 10;
const REFILL_AT = 6;
const RENEW_MS = 240_000;

/** The leases in hand. `changed` is called when there is something new to draw. */
export class Hand {
  leases: LeaseView[] = [];
  state: Served["state"] | "loading" | "unreachable" = "loading";
  words: string | null = null;
  round: number | null = null;
  private asking = false;
  private timer = 0;
  private readonly done = new Set<number>();

  constructor(
    private readonly project: number,
    private readonly changed: () => void,
  ) {
    setInterval(() => void this.renew(), RENEW_MS);
  }

  /** The lease whose item is on screen. */
  get current(): LeaseView | undefined {
    return this.leases[0];
  }

  /** Take the current lease out of the hand. */
  next(): LeaseView | undefined {
    const lease = this.leases.shift();
    if (lease) this.done.add(lease.id);
    if (this.leases.length < REFILL_AT) void this.refill();
    return lease;
  }

  /** Put a lease on top of the hand again. */
  putBack(lease: LeaseView): void {
    this.done.delete(lease.id);
    this.leases = [lease, ...this.leases.filter((each) => each.id !== lease.id)];
    this.changed();
  }

  /** Ask for more; the answer begins with what is in hand, so a reload shows the same items. */
  async refill(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    clearTimeout(this.timer);
    try {
      const body = { count: Math.min(50, IN_HAND + this.done.size) };
      const served = await call<Served>("POST", `/projects/${this.project}/leases`, { body });
      const known = new Set(this.leases.map((each) => each.id));
      const fresh = served.leases.filter((each) => !known.has(each.id) && !this.done.has(each.id));
      this.leases.push(...fresh.slice(0, IN_HAND - this.leases.length + 5));
      for (const each of fresh) void decode(each.item);
      this.state = served.state;
      this.words = served.words;
      this.round = served.round ?? this.round;
      if (!this.leases.length) this.again(served.retry_after_seconds ?? (served.state === "serving" ? 0.3 : 5));
    } catch {
      if (!this.leases.length) this.state = "unreachable";
      this.again(3);
    } finally {
      this.asking = false;
      this.changed();
    }
  }

  /** The server has this answer: its lease no longer counts among those in hand there. */
  settled(lease: number): void {
    this.done.delete(lease);
  }

  private again(seconds: number): void {
    this.timer = window.setTimeout(() => void this.refill(), Math.min(30, seconds) * 1000);
  }

  private async renew(): Promise<void> {
    if (document.hidden) return;
    for (const each of this.leases) {
      try {
        await call("POST", `/leases/${each.id}/renew`);
      } catch {
        return; // a late answer is kept all the same
      }
    }
  }
}

async function decode(item: ItemView): Promise<void> {
  if (!item.image) return;
  const image = new Image();
  image.src = item.image.url;
  try {
    await image.decode();
  } catch {
    // the viewer shows that the picture cannot be read
  }
}
