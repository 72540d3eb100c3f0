// The annotate page: the next item is on screen before its predecessor's answer is sent.
import { html, nothing, render, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import type { QuestionView, Value } from "../editors/part";
import { Sheet } from "../editors/sheet";
import { ActiveTime } from "../lib/active-time";
import { Changes } from "../lib/changes";
import { Drafts } from "../lib/drafts";
import { brief, type Given, History } from "../lib/history";
import { call, message, newId, pageData } from "../lib/http";
import type { ImageStage } from "../lib/image-stage";
import { itemView } from "../lib/item-view";
import { type Meaning, meaning } from "../lib/keys";
import { KeysDialog } from "../lib/keys-dialog";
import { labelWords } from "../lib/label-words";
import { Notices } from "../lib/notices";
import { type Letter, leaseOf, notStored, Outbox } from "../lib/outbox";
import { playerIn } from "../lib/player";
import { type Note, type Progress, ProgressBar } from "../lib/progress-bar";
import { habits, recall, remember } from "../lib/remembered";
import { unread } from "../lib/replies";
import { Hand, type LabelView, type LeaseView } from "../lib/serving";
import { hasGuidelines, sidePanel, waiting } from "../lib/side-panel";
import { type Aim, type Side, swipes, swipeWords } from "../lib/swipe";
import { type Panel, toolbar } from "../lib/tools";
import { Why } from "../lib/why";

interface Config {
  project: { id: number; slug: string; name: string; modality: string; role: string };
  version: number;
  form: boolean;
  questions: QuestionView[];
  person: { id: number; name: string };
  guidelines_version: number;
}

class AnnotatePage {
  private readonly config = pageData<Config>();
  private readonly root = document.getElementById("annotate") as HTMLElement;
  private readonly time = new ActiveTime();
  private readonly owner = `${this.config.person.id}/${this.config.project.id}`;
  private readonly history = new History(`labelwise given ${this.owner}`);
  private readonly drafts = new Drafts(this.owner);
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
  private readonly dialog = new KeysDialog(this.config, this.config.project.id, this.habits, () => this.draw());
  private readonly sheet = new Sheet(this.config.questions, this.config.form, this.root, {
    changed: () => this.draw(),
    answer: (label, words) => this.answer(label, words),
    instant: () => this.habits.instant,
    keys: (classes) => this.dialog.keysOf(classes),
  });
  private again: { item: number; label: LabelView } | null = null; // an answer that was taken back, to be mended
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
    const fresh = lease && lease.id !== this.shown;
    if (fresh) this.begin(lease);
    if (lease && !this.sheet.direct) this.drafts.keep(lease.id, { ...this.sheet.begun, seconds: this.time.seconds() });
    render(this.view(lease), this.root);
    if (fresh) this.sheet.shown();
  }

  private begin(lease: LeaseView): void {
    this.shown = lease.id;
    this.flagging = false;
    this.drafts.only(this.hand.leases.map(({ id }) => id));
    const draft = this.drafts.of(lease.id);
    this.time.restart(draft?.seconds);
    this.sheet.begin(lease.item, lease.suggestion);
    if (draft) this.sheet.resume(draft);
    else if (this.again?.item === lease.item.id && !this.sheet.direct) this.sheet.fill(this.again.label);
    this.again = null;
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
      all: `/projects/${this.config.project.slug}/my-answers`,
      goBack: (place) => void this.undo(place),
      close: () => this.close(),
    });
  }

  private card(lease: LeaseView): TemplateResult {
    // Keyed by lease: nothing of the last item, its scrolling or its picture, stays on screen.
    return html`${keyed(lease.id, html`<article class="item-card" aria-label="Item" tabindex="0">${itemView(lease.item)}</article>`)}
      <div class="answers"><p class="reason">${lease.reason?.words ?? html`&nbsp;`}</p>${this.habits.swipe ? swipeWords(this.aims()) : nothing}${this.sheet.view()}</div>`;
  }

  private onKey(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.repeat && target.matches("#annotate button")) event.preventDefault(); // a held key answers once
    if (this.root.querySelector("dialog[open]")) return; // it has its own keys
    if (event.key === "Escape") {
      if (target.matches("[data-focus]")) target.blur(); // then single keys act again
      this.close();
    } else if (event.key === "Enter" && target.matches(".class-filter")) {
      event.preventDefault();
      if (!event.repeat && !event.isComposing) this.sheet.first();
    } else if (event.key === "Enter" && target.matches("[data-focus]") && !event.shiftKey) {
      event.preventDefault(); // in a field of the sheet: with Shift it begins a new line
      if (!event.repeat && !event.isComposing) this.sheet.submit();
    } else if (this.habits.keys || event.ctrlKey || event.metaKey) {
      const meant = meaning(event, this.sheet.keys, this.dialog.keymap);
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
    const player = playerIn(this.root);
    const acts: Record<Meaning["kind"], () => void> = {
      class: () => this.sheet.pick("index" in meant ? meant.index : -1),
      submit: () => this.sheet.submit(),
      skip: () => this.skip(),
      undo: () => void this.undo(),
      accept: () => this.sheet.accept(),
      reject: () => this.sheet.reject(),
      unpick: () => this.sheet.back(),
      flag: () => this.toggleFlag(),
      guidelines: () => this.togglePanel("guidelines"),
      why: () => this.togglePanel("why"),
      history: () => this.togglePanel("history"),
      help: () => this.dialog.show(),
      filter: () => this.root.querySelector<HTMLInputElement>(".class-filter")?.focus(),
      "zoom in": () => stage?.zoom(1),
      "zoom out": () => stage?.zoom(-1),
      fit: () => stage?.fit(),
      play: () => player?.toggle(),
      again: () => player?.again(),
      back: () => player?.step(-1),
      on: () => player?.step(1),
      "frame back": () => player?.frame?.(-1),
      "frame on": () => player?.frame?.(1),
      mute: () => player?.mute?.(),
      left: () => this.sheet.move(-1),
      right: () => this.sheet.move(1),
    };
    acts[meant.kind]();
  }

  private answer(label: Value, words: string): void {
    const seconds_spent = Math.min(86_400, this.time.seconds());
    if (this.hand.current) this.progress.answered += 1;
    this.handIn(words, (lease) => ({ path: "/annotations", body: { lease, label, seconds_spent } }), label);
  }

  private skip(): void {
    this.handIn("skipped", (lease) => ({ path: `/leases/${lease}/skip`, body: { reason: null } }));
  }

  /** Of two classes a swipe takes the one on its side; else it skips or accepts the suggestion. */
  private aims(): Record<Side, Aim> {
    const [left, right] = this.sheet.pair ?? [];
    if (left && right)
      return { left: { words: left.words, act: left.give }, right: { words: right.words, act: right.give } };
    return {
      left: { words: "skip", act: () => this.skip() },
      right: { words: this.sheet.suggests, act: () => this.sheet.accept() },
    };
  }

  private swiped(side: Side): void {
    if (this.hand.current) this.aims()[side].act();
  }

  private handIn(words: string, letter: (lease: number) => { path: string; body: unknown }, label?: Value): void {
    const lease = this.hand.next();
    if (!lease) return;
    const given = { key: newId(), lease: lease.id, brief: brief(lease), words, skipped: !label, label };
    this.drafts.only(this.hand.leases.map(({ id }) => id));
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
      if (last.shown) this.putBack(last.shown, last);
      else await this.hand.reopen(last.lease);
      return;
    }
    await this.outbox.flush();
    if (this.outbox.has(last.key)) throw new Error("it may have arrived already; try again once the server answers.");
    const fresh = await call<LeaseView | null>("DELETE", `/leases/${last.lease}/annotation`);
    if (fresh) this.putBack(fresh, last);
    else this.notices.add("Taken back; a colleague holds the item now.");
  }

  /** The item is on screen again; a form with what was answered. */
  private putBack(lease: LeaseView, { label }: Given): void {
    this.again = label ? { item: lease.item.id, label } : null;
    this.shown = 0;
    this.hand.putBack(lease);
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
    this.sheet.renew(this.config.questions);
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
      if (lease) this.history.add({ key: newId(), lease, brief: key, words: labelWords(label), skipped: false, label });
    }
  }
}

new AnnotatePage();
