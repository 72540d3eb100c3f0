// The quiet line above the item: today, the goal, the round, and whether everything is saved.
import { html, nothing, type TemplateResult } from "lit";
import { call } from "./http";
import type { Outbox } from "./outbox";
import type { LabelView } from "./serving";

/** One of the person's own notes to the manager. */
export interface Note {
  id: number;
  key: string;
  note: string;
  state: "open" | "closed";
  reply: string | null;
  updated_at: string;
}

export interface Progress {
  notes: Note[]; // the last changed first
  version: number; // of the project's settings
  round: number | null;
  mine: { today: number; seconds_median: number | null };
  project: { answered: number; goal_parts: { name: string; target: number | string; words: string }[] };
  recent: { key: string; lease: number | null; label: LabelView }[];
}

const READ_MS = 20_000;

export class ProgressBar {
  answered = 0; // since the progress was read
  private known: Progress | null = null;

  /** `heard` gets what the server knows, each time; `changed` is called when there is something to draw. */
  constructor(
    private readonly project: number,
    private readonly overview: string | null, // its address, for those who may see it
    private readonly outbox: Outbox,
    private readonly heard: (progress: Progress, first: boolean) => void,
    private readonly changed: () => void,
  ) {
    void this.read();
    setInterval(() => void this.read(), READ_MS);
    document.addEventListener("visibilitychange", () => void this.read());
  }

  /** `served` is the round of the newest items in hand. */
  view(served: number | null): TemplateResult {
    const round = Math.max(served ?? 0, this.known?.round ?? 0);
    const today = (this.known?.mine.today ?? 0) + this.answered;
    return html`<div class="annotate-bar">
        <span>Today ${today}${this.each()}</span><span class="wide">${this.towards()}</span>
        ${round ? html`<span class="wide">${this.overview ? html`<a href=${this.overview}>Round ${round}</a>` : `Round ${round}`}</span>` : nothing}
        <span role="status" class=${this.outbox.offline ? "saved late" : "saved"}>${saved(this.outbox)}</span>
      </div>`;
  }

  private each(): string {
    const seconds = this.known?.mine.seconds_median;
    return seconds == null ? "" : ` · ${seconds.toFixed(1)} s each`;
  }

  private towards(): string {
    if (!this.known) return "";
    const labels = this.known.project.answered + this.answered;
    const said = labels.toLocaleString("en");
    const parts = this.known.project.goal_parts;
    const own = parts.map(({ name, target, words }) =>
      name === "labels" ? `${said} of ${target.toLocaleString("en")} labels` : words,
    );
    return own.length ? own.join(" · ") : `${said} ${labels === 1 ? "label" : "labels"} in all`;
  }

  private async read(): Promise<void> {
    if (document.hidden) return;
    try {
      const found = await call<Progress>("GET", `/projects/${this.project}/progress`);
      if (this.outbox.waiting > 0) return; // it lacks what waits here
      this.heard(found, !this.known);
      this.known = found;
      this.answered = 0;
      this.changed();
    } catch {
      // the bar keeps what it knew
    }
  }
}

function saved({ waiting, offline, stranger, kept }: Outbox): string {
  if (waiting < 0) return "";
  if (waiting && !kept) return offline ? `Offline: ${waiting} waiting, keep this page open` : `${waiting} waiting`;
  if (stranger) return `Somebody else is signed in: ${waiting} kept here`;
  if (offline) return `Offline: ${waiting} kept here`;
  return waiting === 0 ? "Saved" : `${waiting} waiting`;
}
