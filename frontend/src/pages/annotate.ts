// The annotate page: the next item is on screen before its predecessor's answer is sent.
import { html, nothing, render, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { ActiveTime } from "../lib/active-time";
import { answerButtons, type Choice } from "../lib/answer-buttons";
import type { AudioStage } from "../lib/audio-stage";
import { Changes } from "../lib/changes";
import { brief, type Given, History } from "../lib/history";
import { call, message, newId, pageData } from "../lib/http";
import type { ImageStage } from "../lib/image-stage";
import { itemView } from "../lib/item-view";
import { type Meaning, meaning } from "../lib/keys";
import { KeysDialog } from "../lib/keys-dialog";
import { Notices } from "../lib/notices";
import { type Letter, leaseOf, notStored, Outbox } from "../lib/outbox";
import { type Note, type Progress, ProgressBar } from "../lib/progress-bar";
import { habits, recall, remember } from "../lib/remembered";
import { unread } from "../lib/replies";
import { type ClassView, Hand, type LeaseView, names } from "../lib/serving";
import { hasGuidelines, sidePanel, waiting } from "../lib/side-panel";
import { type Aim, type Side, swipes, swipeWords } from "../lib/swipe";
import { type Panel, toolbar } from "../lib/tools";
import { Why } from "../lib/why";

interface Config {
  project: { id: number; slug: string; name: string; modality: string; multiple: boolean; role: string };
  version: number;
  classes: ClassView[];
  person: { id: number; name: string };
  guidelines_version: number;
}

class AnnotatePage {
  private readonly config = pageData<Config>();
  private readonly root = document.getElementById("annotate") as HTMLElement;
  private readonly time = new ActiveTime();
  private readonly owner = `${this.config.person.id}/${this.config.project.id}`;
  private readonly history = new History(`labelwise given ${this.owner}`);
  private readonly hand = new Hand(
    this.config.project.id,
    () => this.draw(),
    (milliseconds) => this.time.inUse(milliseconds),
  );
  private readonly outbox = new Outbox(this.owner, this.config.person.id, {
    changed: () => this.draw(),
    refused: (letter, reason) => this.refused(letter, reason),
    delivered: (letter, answer) => this.delivered(letter, answer),
    takenElsewhere: (lease) => this.hand.drop(lease),
    signIn: () => location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`),
  });
  private readonly habits = habits();
  private readonly progress = new ProgressBar(
    this.config.project.id,
    this.config.project.role === "annotator" ? null : `/projects/${this.config.project.slug}/overview`,
    this.outbox,
    (found, first) => {
      if (first) this.recall(found);
      this.notes = found.notes;
      for (const words of unread(`replies ${this.owner}`, found.notes)) this.news.add(words);
      void this.changes.look(found.version);
    },
    () => this.draw(),
  );
  private readonly why = new Why(() => this.draw());
  private readonly notices = new Notices(`notices ${this.owner}`, () => this.draw());
  private readonly news = new Notices(`news ${this.owner}`, () => this.draw(), true);
  private readonly changes = new Changes(this.config, (words) => this.changed(words));
  private readonly dialog = new KeysDialog(this.config.classes, this.config.project.id, this.habits, () => this.draw());
  private chosen = new Set<number>();
  private rejected = 0; // the lease whose suggestion was rejected
  private filter = "";
  private notes: Note[] = [];
  private panel: Panel = "none";
  private flagging = false;
  private shown = 0;
  private guidelinesSeen = recall(`guidelines ${this.config.project.id}`, 0);

  constructor() {
    document.addEventListener("keydown", (event) => this.onKey(event));
    swipes(
      this.root,
      () => this.habits.swipe,
      (side) => this.swiped(side),
    );
    void this.outbox.ready.then(() => this.hand.start(this.outbox.leases()));
    this.draw();
  }

  private draw(): void {
    const lease = this.hand.current;
    if (lease && lease.id !== this.shown) {
      this.shown = lease.id;
      this.chosen = new Set();
      this.filter = "";
      this.flagging = false;
      this.time.restart();
    }
    render(this.view(lease), this.root);
  }

  private view(lease: LeaseView | undefined): TemplateResult {
    const side = this.panel === "none" ? nothing : this.side(this.panel, lease);
    const card = this.habits.beside ? "card-column beside" : "card-column";
    return html`${this.progress.view(this.hand.round)} ${this.notices.view()} ${this.news.view()}
      <div class=${this.panel === "none" ? "desk" : "desk with-panel"}>
        <section class=${card}>${lease ? this.card(lease) : waiting(this.hand.state, this.hand.words)}</section>
        ${side}
      </div>
      ${toolbar({
        panel: this.panel,
        undoable: this.history.given.length > 0,
        item: lease !== undefined,
        flagging: this.flagging,
        newGuidelines: hasGuidelines() && this.config.guidelines_version > this.guidelinesSeen,
        keymap: this.dialog.keymap,
        act: (kind) => this.act({ kind }),
        sendFlag: (note) => this.sendFlag(note),
      })}
      ${this.dialog.view()}`;
  }

  private side(panel: Exclude<Panel, "none">, lease: LeaseView | undefined): TemplateResult {
    return sidePanel({
      panel,
      why: () => this.why.view(lease),
      given: this.history.given,
      notes: this.notes,
      goBack: (place) => void this.undo(place),
      close: () => this.close(),
    });
  }

  private card(lease: LeaseView): TemplateResult {
    // Keyed by lease: nothing of the last item, its scrolling or its picture, stays on screen.
    return html`${keyed(lease.id, html`<article class="item-card" aria-label="Item" tabindex="0">${itemView(lease.item)}</article>`)}
      <div class="answers"><p class="reason">${lease.reason?.words ?? html`&nbsp;`}</p>${this.habits.swipe ? swipeWords(this.aims(lease)) : nothing}${this.answers(lease)}</div>`;
  }

  private answers(lease: LeaseView): TemplateResult {
    return answerButtons({
      classes: this.config.classes,
      keys: this.dialog.keys,
      several: !this.direct,
      chosen: this.chosen,
      suggested: this.suggested(lease),
      probability: lease.suggestion?.probability ?? null,
      filter: this.filter,
      onFilter: (text) => {
        this.filter = text;
        this.draw();
      },
      onChoice: (choice) => this.onChoice(choice),
    });
  }

  /** Whether one choice is the whole answer. */
  private get direct(): boolean {
    return !this.config.project.multiple && this.habits.instant;
  }

  private suggested(lease: LeaseView): string[] {
    const label = lease.suggestion?.label;
    return label && this.rejected !== lease.id ? names(label) : [];
  }

  private onKey(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.repeat && target.matches("#annotate button")) event.preventDefault(); // a held key answers once
    if (this.root.querySelector("dialog[open]")) return; // it has its own keys
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && target.matches(".class-filter")) {
      event.preventDefault();
      if (!event.repeat && !event.isComposing) this.onChoice({ kind: "first" });
    } else if (this.habits.keys || event.ctrlKey || event.metaKey) {
      const meant = meaning(event, this.dialog.keys, this.dialog.keymap);
      if (!meant) return;
      event.preventDefault();
      this.act(meant);
    }
  }

  private close(): void {
    this.flagging = false;
    this.panel = "none";
    this.draw();
  }

  private act(meant: Meaning): void {
    const stage = this.root.querySelector<ImageStage>("image-stage");
    const sound = this.root.querySelector<AudioStage>("audio-stage");
    const acts: Record<Meaning["kind"], () => void> = {
      class: () => this.onChoice({ kind: "index", index: "index" in meant ? meant.index : -1 }),
      submit: () => this.submit(),
      skip: () => this.skip(),
      undo: () => void this.undo(),
      accept: () => this.accept(),
      reject: () => this.reject(),
      flag: () => this.toggleFlag(),
      guidelines: () => this.togglePanel("guidelines"),
      why: () => this.togglePanel("why"),
      history: () => this.togglePanel("history"),
      help: () => this.dialog.show(),
      filter: () => this.root.querySelector<HTMLInputElement>(".class-filter")?.focus(),
      "zoom in": () => stage?.zoom(1),
      "zoom out": () => stage?.zoom(-1),
      fit: () => stage?.fit(),
      play: () => sound?.toggle(),
      again: () => sound?.again(),
      back: () => sound?.step(-1),
      on: () => sound?.step(1),
      left: () => this.move(-1),
      right: () => this.move(1),
    };
    acts[meant.kind]();
  }

  /** Move the focus among the answers. */
  private move(step: number): void {
    const buttons = [...this.root.querySelectorAll<HTMLButtonElement>(".class-button")];
    const now = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[now < 0 ? (step > 0 ? 0 : buttons.length - 1) : (now + step + buttons.length) % buttons.length]?.focus();
  }

  private onChoice(choice: Choice): void {
    if (choice.kind === "submit") {
      this.submit();
      return;
    }
    const id = this.resolve(choice);
    if (id === undefined || !this.hand.current) return;
    if (this.direct) {
      this.answer([id]);
      return;
    }
    const taken = this.chosen.delete(id);
    if (!this.config.project.multiple) this.chosen.clear();
    if (!taken) this.chosen.add(id);
    this.filter = "";
    this.draw();
  }

  private resolve(choice: Exclude<Choice, { kind: "submit" }>): number | undefined {
    if (choice.kind === "id") return choice.id;
    if (choice.kind === "index") return this.config.classes[choice.index]?.id;
    const wanted = this.filter.trim().toLowerCase();
    return wanted ? this.config.classes.find((each) => each.name.toLowerCase().includes(wanted))?.id : undefined;
  }

  private submit(): void {
    if (this.hand.current && this.chosen.size) this.answer([...this.chosen].sort((a, b) => a - b));
  }

  private accept(): void {
    const lease = this.hand.current;
    const suggested = lease ? this.suggested(lease) : [];
    const ids = this.config.classes.filter((each) => suggested.includes(each.name)).map((each) => each.id);
    if (ids.length) this.answer(ids);
  }

  private reject(): void {
    const lease = this.hand.current;
    if (!lease?.suggestion) return;
    const others = this.config.classes.filter((each) => !this.suggested(lease).includes(each.name));
    if (this.config.classes.length === 2 && others.length === 1 && others[0] && this.direct) {
      this.answer([others[0].id]);
      return;
    }
    this.rejected = lease.id;
    this.draw();
  }

  private answer(ids: number[]): void {
    const label = this.config.project.multiple ? { class_ids: ids } : { class_id: ids[0] };
    const words = this.config.classes
      .filter((each) => ids.includes(each.id))
      .map((each) => each.name)
      .join(", ");
    const seconds_spent = Math.min(86_400, this.time.seconds());
    this.progress.answered += 1;
    this.handIn(words, (lease) => ({ path: "/annotations", body: { lease, label, seconds_spent } }));
  }

  private skip(): void {
    this.handIn("skipped", (lease) => ({ path: `/leases/${lease}/skip`, body: { reason: null } }), true);
  }

  /** Of two classes a swipe takes the one on its side; else it skips or accepts the suggestion. */
  private aims(lease: LeaseView): Record<Side, Aim> {
    const [left, right, more] = this.config.classes;
    if (left && right && !more && this.direct)
      return {
        left: { words: left.name, act: () => this.answer([left.id]) },
        right: { words: right.name, act: () => this.answer([right.id]) },
      };
    const suggested = this.suggested(lease).join(", ");
    return {
      left: { words: "skip", act: () => this.skip() },
      right: { words: suggested, act: () => this.accept() },
    };
  }

  private swiped(side: Side): void {
    const lease = this.hand.current;
    if (lease) this.aims(lease)[side].act();
  }

  private handIn(words: string, letter: (lease: number) => { path: string; body: unknown }, skipped = false): void {
    const lease = this.hand.next();
    if (!lease) return;
    const given = { key: newId(), lease: lease.id, brief: brief(lease), words, skipped };
    this.draw(); // the next item is on screen before anything is sent
    this.outbox.put({ key: given.key, method: "POST", ...letter(lease.id), what: `“${words}” for “${given.brief}”` });
    this.history.add({ ...given, shown: lease });
  }

  private sendFlag(note: string): void {
    const lease = this.hand.current;
    if (!lease) return;
    this.flagging = false;
    const path = `/items/${lease.item.id}/flags`;
    this.outbox.put({ key: newId(), method: "POST", path, body: { note }, what: `the flag “${note}”` });
  }

  private async undo(place = this.history.given.length - 1): Promise<void> {
    const last = this.history.take(place);
    if (!last) return;
    if (!last.skipped) this.progress.answered -= 1;
    try {
      await this.takeBack(last);
    } catch (error) {
      this.history.restore(place, last);
      if (!last.skipped) this.progress.answered += 1;
      this.notices.add(`Could not take the answer back: ${message(error)}`);
    }
    this.draw();
  }

  private async takeBack(last: Given): Promise<void> {
    if (await this.outbox.cancel(last.key)) {
      if (last.shown) this.hand.putBack(last.shown);
      else await this.hand.reopen(last.lease);
      return;
    }
    await this.outbox.flush();
    if (this.outbox.has(last.key)) throw new Error("it may have arrived already; try again once the server answers.");
    const fresh = await call<LeaseView | null>("DELETE", `/leases/${last.lease}/annotation`);
    if (fresh) this.hand.putBack(fresh);
    else this.notices.add("Taken back; a colleague holds the item now.");
  }

  private refused(letter: Letter, reason: string): void {
    const lease = leaseOf(letter);
    if (lease !== undefined) this.hand.settled(lease);
    if (this.history.given.some((each) => each.key === letter.key && !each.skipped)) this.progress.answered -= 1;
    this.history.forget(letter.key);
    this.notices.add(notStored(letter, reason));
  }

  private delivered(letter: Letter, answer: unknown): void {
    const lease = leaseOf(letter);
    if (lease !== undefined) this.hand.settled(lease);
    const stored = answer as { counted?: boolean; key?: string } | null;
    if (stored?.counted === false)
      this.notices.add(`${stored.key}: answered by a colleague meanwhile; yours is kept as extra.`);
  }

  /** Other classes or guidelines: the card shows them, and nothing stays chosen that is gone. */
  private changed(words: string | null): void {
    this.dialog.renew();
    this.chosen = new Set([...this.chosen].filter((id) => this.config.classes.some((each) => each.id === id)));
    if (words) this.news.add(words);
    this.draw();
  }

  private togglePanel(panel: Exclude<Panel, "none">): void {
    this.panel = this.panel === panel ? "none" : panel;
    if (panel === "guidelines") {
      this.guidelinesSeen = this.config.guidelines_version;
      remember(`guidelines ${this.config.project.id}`, this.guidelinesSeen);
    }
    this.draw();
  }

  private toggleFlag(): void {
    this.flagging = !this.flagging && this.hand.current !== undefined;
    this.draw();
    if (this.flagging) this.root.querySelector<HTMLInputElement>(".flag-form input")?.focus();
  }

  /** In a new tab the history begins with what the server knows of the last answers. */
  private recall({ recent }: Progress): void {
    if (this.history.given.length) return;
    for (const { key, lease, label } of [...recent].reverse()) {
      const words = names(label).join(", ");
      if (lease) this.history.add({ key: newId(), lease, brief: key, words, skipped: false });
    }
  }
}

new AnnotatePage();
