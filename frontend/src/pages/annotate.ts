// The annotate page: the next item is on screen before its predecessor's answer is sent.
import { html, nothing, render, type TemplateResult } from "lit";
import { ActiveTime } from "../lib/active-time";
import { answerButtons, type Choice } from "../lib/answer-buttons";
import { call, message, newId, pageData } from "../lib/http";
import { itemView } from "../lib/item-view";
import { classKeys, meaning } from "../lib/keys";
import { Outbox } from "../lib/outbox";
import { type ClassView, Hand, type LabelView, type LeaseView } from "../lib/serving";
import { helpDialog, sidePanel, waiting } from "../lib/side-panel";

interface Config {
  project: { id: number; slug: string; name: string; modality: string; multiple: boolean; state: string };
  classes: ClassView[];
  person: { id: number; name: string };
  guidelines_version: number;
  goal: { labels?: number | null; accuracy?: number | null } | null;
}

export interface Given {
  key: string;
  lease: LeaseView;
  words: string;
  skipped: boolean;
}

export interface Progress {
  mine: { today: number; seconds_median: number | null };
  project: { answered: number; open: number; total: number };
}

const UNDO_DEPTH = 50;
const PROGRESS_MS = 20_000;

class AnnotatePage {
  private readonly config = pageData<Config>();
  private readonly root = document.getElementById("annotate") as HTMLElement;
  private readonly hand = new Hand(this.config.project.id, () => this.draw());
  private readonly time = new ActiveTime();
  private readonly owner = `${this.config.person.id}/${this.config.project.id}`;
  private readonly outbox = new Outbox(
    this.owner,
    () => this.draw(),
    (refused) => this.notices.push(`Not stored: ${refused.letter.what}. ${refused.reason}`),
    (letter, answer) => this.delivered(letter.path, letter.body, answer),
    () => location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`),
  );
  private given: Given[] = this.remembered();
  private chosen = new Set<number>();
  private filter = "";
  private panel: "none" | "guidelines" | "why" | "history" = "none";
  private helping = false;
  private flagging = false;
  private shown = 0;
  private answered = 0;
  private notices: string[] = [];
  private progress: Progress | null = null;
  private keysOn = localStorage.getItem("labelwise keys") !== "off";

  constructor() {
    document.addEventListener("keydown", (event) => this.onKey(event));
    void this.hand.refill();
    void this.loadProgress();
    setInterval(() => void this.loadProgress(), PROGRESS_MS);
    this.draw();
  }

  private draw(): void {
    const lease = this.hand.current;
    if (lease && lease.id !== this.shown) {
      this.shown = lease.id;
      this.chosen = new Set();
      this.filter = "";
      this.time.restart();
    }
    render(this.view(lease), this.root);
  }

  private view(lease: LeaseView | undefined): TemplateResult {
    const side = this.panel === "none" ? nothing : sidePanel(this.panel, lease, this.given, (at) => void this.undo(at));
    return html`${this.bar()} ${this.notes()}
      <div class=${this.panel === "none" ? "desk" : "desk with-panel"}>
        <section class="card-column">
          ${
            lease
              ? html`<article class="item-card" aria-label="Item">${itemView(lease.item)}</article>
                <p class="reason">${lease.reason?.words ?? html`&nbsp;`}</p>${this.answers(lease)}`
              : waiting(this.hand.state, this.hand.words)
          }
        </section>
        ${side}
      </div>
      ${this.tools(lease)} ${
        this.helping
          ? helpDialog(
              () => this.toggleHelp(),
              this.keysOn,
              () => this.toggleKeys(),
            )
          : nothing
      }`;
  }

  private bar(): TemplateResult {
    const p = this.progress;
    const mine = (p?.mine.today ?? 0) + this.answered;
    const all = p
      ? `${(p.project.answered + this.answered).toLocaleString()} of ${p.project.total.toLocaleString()} answered`
      : "";
    return html`<div class="annotate-bar">
      <span>Today ${mine}</span><span class="wide">${all}</span>
      ${this.hand.round ? html`<span class="wide">Round ${this.hand.round}</span>` : nothing}
      <span role="status" class=${this.outbox.offline ? "saved late" : "saved"}>${this.saved()}</span>
    </div>`;
  }

  private saved(): string {
    const waiting = this.outbox.waiting;
    if (waiting < 0) return "";
    if (this.outbox.offline) return `Offline: ${waiting} kept here`;
    return waiting === 0 ? "Saved" : `${waiting} waiting`;
  }

  private notes(): TemplateResult | typeof nothing {
    if (!this.notices.length) return nothing;
    const dismiss = (place: number) => () => {
      this.notices.splice(place, 1);
      this.draw();
    };
    return html`<ul class="notices" role="alert">${this.notices.map((text, place) => html`<li>${text} <button type="button" class="link" @click=${dismiss(place)}>Dismiss</button></li>`)}</ul>`;
  }

  private answers(lease: LeaseView): TemplateResult {
    return answerButtons({
      classes: this.config.classes,
      multiple: this.config.project.multiple,
      chosen: this.chosen,
      suggested: suggestedNames(lease),
      probability: lease.suggestion?.probability ?? null,
      filter: this.filter,
      onFilter: (text) => {
        this.filter = text;
        this.draw();
      },
      onChoice: (choice) => this.onChoice(choice),
    });
  }

  private tools(lease: LeaseView | undefined): TemplateResult {
    const toggle = (panel: "guidelines" | "why" | "history") => () => this.togglePanel(panel);
    return html`<div class="tools" role="toolbar" aria-label="Tools">
      <button type="button" class="quiet-button" ?disabled=${!this.given.length} @click=${() => void this.undo()}>Undo <kbd>Z</kbd></button>
      <button type="button" class="quiet-button" ?disabled=${!lease} @click=${() => this.skip()}>Skip <kbd>Space</kbd></button>
      <button type="button" class="quiet-button" ?disabled=${!lease} @click=${() => this.toggleFlag()}>Flag <kbd>F</kbd></button>
      <button type="button" class="quiet-button" aria-expanded=${this.panel === "guidelines"} @click=${toggle("guidelines")}>Guidelines <kbd>H</kbd></button>
      <button type="button" class="quiet-button" aria-expanded=${this.panel === "why"} @click=${toggle("why")}>Why this item</button>
      <button type="button" class="quiet-button" aria-expanded=${this.panel === "history"} @click=${toggle("history")}>Last answers</button>
      <button type="button" class="quiet-button" @click=${() => this.toggleHelp()}>Keys <kbd>?</kbd></button>
      ${this.flagging && lease ? this.flagForm(lease) : nothing}
    </div>`;
  }

  private flagForm(lease: LeaseView): TemplateResult {
    const send = (event: SubmitEvent) => {
      event.preventDefault();
      const note = String(new FormData(event.target as HTMLFormElement).get("note") ?? "").trim();
      if (!note) return;
      this.flagging = false;
      void this.outbox.put({
        key: newId(),
        method: "POST",
        path: `/items/${lease.item.id}/flags`,
        body: { note },
        what: "a flag",
      });
      this.draw();
    };
    return html`<form class="flag-form" @submit=${send}><label>What should the manager know?
      <input name="note" maxlength="2000" autocomplete="off"></label><button>Send the flag</button></form>`;
  }

  private onKey(event: KeyboardEvent): void {
    if (event.key === "Escape") {
      this.helping = this.flagging = false;
      this.panel = "none";
      this.draw();
      return;
    }
    if (event.key === "Enter" && (event.target as HTMLElement).matches(".class-filter")) {
      event.preventDefault();
      this.onChoice({ kind: "first" });
      return;
    }
    const meant = this.keysOn || event.ctrlKey || event.metaKey ? meaning(event, classKeys(this.config.classes)) : null;
    if (!meant || this.helping) {
      if (meant?.kind === "help") this.toggleHelp();
      return;
    }
    event.preventDefault();
    if (meant.kind === "class") this.onChoice({ kind: "index", index: meant.index });
    else this.act(meant.kind);
  }

  private act(kind: string): void {
    const acts: Record<string, () => void> = {
      submit: () => this.submit(),
      skip: () => this.skip(),
      undo: () => void this.undo(),
      accept: () => this.accept(),
      reject: () => this.reject(),
      flag: () => this.toggleFlag(),
      guidelines: () => this.togglePanel("guidelines"),
      help: () => this.toggleHelp(),
      filter: () => this.root.querySelector<HTMLInputElement>(".class-filter")?.focus(),
    };
    acts[kind]?.();
  }

  private onChoice(choice: Choice): void {
    if (choice.kind === "submit") {
      this.submit();
      return;
    }
    const id = this.resolve(choice);
    if (id === undefined || !this.hand.current) return;
    if (!this.config.project.multiple) {
      this.answer([id]);
      return;
    }
    if (!this.chosen.delete(id)) this.chosen.add(id);
    this.draw();
  }

  private resolve(choice: Choice): number | undefined {
    if (choice.kind === "id") return choice.id;
    if (choice.kind === "first") {
      const wanted = this.filter.trim().toLowerCase();
      return wanted ? this.config.classes.find((each) => each.name.toLowerCase().includes(wanted))?.id : undefined;
    }
    if (choice.kind === "index") return this.config.classes[choice.index]?.id;
    return undefined;
  }

  private submit(): void {
    if (this.config.project.multiple && this.hand.current && this.chosen.size) this.answer([...this.chosen]);
  }

  private accept(): void {
    const lease = this.hand.current;
    const names = lease ? suggestedNames(lease) : [];
    const ids = this.config.classes.filter((each) => names.includes(each.name)).map((each) => each.id);
    if (ids.length) this.answer(ids);
  }

  private reject(): void {
    const lease = this.hand.current;
    const others = this.config.classes.filter((each) => lease && !suggestedNames(lease).includes(each.name));
    if (lease?.suggestion && this.config.classes.length === 2 && others[0]) this.answer([others[0].id]);
  }

  private answer(ids: number[]): void {
    const seconds = this.time.seconds();
    const lease = this.hand.next();
    if (!lease) return;
    const label = this.config.project.multiple ? { class_ids: ids } : { class_id: ids[0] };
    const words = this.config.classes
      .filter((each) => ids.includes(each.id))
      .map((each) => each.name)
      .join(", ");
    const key = newId();
    this.answered += 1;
    this.remember({ key, lease, words, skipped: false });
    this.draw(); // the next item is on screen before anything is sent
    const body = { lease: lease.id, label, seconds_spent: Math.min(86_400, seconds) };
    void this.outbox.put({ key, method: "POST", path: "/annotations", body, what: words });
  }

  private skip(): void {
    const lease = this.hand.next();
    if (!lease) return;
    const key = newId();
    this.remember({ key, lease, words: "skipped", skipped: true });
    this.draw();
    void this.outbox.put({
      key,
      method: "POST",
      path: `/leases/${lease.id}/skip`,
      body: { reason: null },
      what: "a skip",
    });
  }

  private async undo(place = this.given.length - 1): Promise<void> {
    const [last] = this.given.splice(place, 1);
    if (!last) return;
    this.keep();
    if (!last.skipped) this.answered -= 1;
    if (await this.outbox.cancel(last.key)) {
      this.hand.putBack(last.lease);
      return;
    }
    try {
      await this.outbox.flush();
      const fresh = await call<LeaseView | null>("DELETE", `/leases/${last.lease.id}/annotation`);
      if (fresh) this.hand.putBack(fresh);
      else this.notices.push("Taken back; a colleague holds the item now.");
    } catch (error) {
      this.given.splice(place, 0, last);
      this.notices.push(`Could not take the answer back: ${message(error)}`);
    }
    this.draw();
  }

  private delivered(path: string, body: unknown, answer: unknown): void {
    const lease = (body as { lease?: number } | null)?.lease ?? Number(path.split("/")[2]);
    this.hand.settled(lease);
    const stored = answer as { counted?: boolean; key?: string } | null;
    if (stored?.counted === false)
      this.notices.push(`${stored.key}: answered by a colleague meanwhile; yours is kept as extra.`);
  }

  private remember(given: Given): void {
    this.given = [...this.given, given].slice(-UNDO_DEPTH);
    this.keep();
  }

  private keep(): void {
    sessionStorage.setItem(`labelwise given ${this.owner}`, JSON.stringify(this.given));
  }

  private remembered(): Given[] {
    try {
      return JSON.parse(sessionStorage.getItem(`labelwise given ${this.owner}`) ?? "[]") as Given[];
    } catch {
      return [];
    }
  }

  private togglePanel(panel: "guidelines" | "why" | "history"): void {
    this.panel = this.panel === panel ? "none" : panel;
    this.draw();
  }

  private toggleHelp(): void {
    this.helping = !this.helping;
    this.draw();
  }

  private toggleKeys(): void {
    this.keysOn = !this.keysOn;
    localStorage.setItem("labelwise keys", this.keysOn ? "on" : "off");
    this.draw();
  }

  private toggleFlag(): void {
    this.flagging = !this.flagging;
    this.draw();
    if (this.flagging) this.root.querySelector<HTMLInputElement>(".flag-form input")?.focus();
  }

  private async loadProgress(): Promise<void> {
    if (document.hidden) return;
    try {
      const found = await call<Progress>("GET", `/projects/${this.config.project.id}/progress`);
      if (this.outbox.waiting <= 0) {
        this.progress = found;
        this.answered = 0;
      }
      this.draw();
    } catch {
      // the bar keeps what it knew
    }
  }
}

function suggestedNames(lease: LeaseView): string[] {
  const label: LabelView | undefined = lease.suggestion?.label;
  return label?.classes ?? (label?.class ? [label.class] : []);
}

new AnnotatePage();
