// Seconds that a person really spent on an item: a hidden tab and a minute without input do not count.
const IDLE_MS = 60_000;

export class ActiveTime {
  private total = 0;
  private since: number | null = null;
  private lastInput = performance.now();

  constructor() {
    for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "touchstart"]) {
      document.addEventListener(kind, () => this.input(), { passive: true });
    }
    document.addEventListener("visibilitychange", () => (document.hidden ? this.pause() : this.input()));
  }

  /** Begin a new item, or go on with one that so many seconds were spent on. */
  restart(spent = 0): void {
    this.total = 1000 * spent;
    this.lastInput = performance.now();
    this.since = document.hidden ? null : this.lastInput;
  }

  /** The active seconds of this item so far. */
  seconds(): number {
    const running = this.since === null ? 0 : Math.min(performance.now(), this.lastInput + IDLE_MS) - this.since;
    return Math.round((this.total + Math.max(0, running)) / 100) / 10;
  }

  /** Whether somebody touched the page in the last `milliseconds`. */
  inUse(milliseconds: number): boolean {
    return !document.hidden && performance.now() - this.lastInput < milliseconds;
  }

  private input(): void {
    const now = performance.now();
    if (this.since !== null && now - this.lastInput > IDLE_MS) this.pause();
    this.lastInput = now;
    if (this.since === null && !document.hidden) this.since = now;
  }

  private pause(): void {
    if (this.since !== null)
      this.total += Math.max(0, Math.min(performance.now(), this.lastInput + IDLE_MS) - this.since);
    this.since = null;
  }
}
