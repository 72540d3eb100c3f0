// Which items are chosen, and what is done with all of them at once: a job does it, and can be taken back.
import { html, nothing, type TemplateResult } from "lit";
import type { Value } from "../editors/part";
import { count } from "./figures";
import { call, message, Refusal } from "./http";
import type { ItemRow } from "./item-rows";
import { LabelEditor, type Task } from "./label-editor";

const MOST = 10_000; // items of one change
const ACTIONS: [string, Record<string, unknown>, string][] = [
  ["Exclude", { state: "excluded" }, "excluded"],
  ["Take back in", { state: "open" }, "taken back in"],
  ["Ask about them first", { priority: 1 }, "put first"],
  ["No longer first", { priority: 0 }, "put back"],
  ["Into your own test set", { split: "audit" }, "moved into your own test set"],
  ["Back into the pool", { split: "pool" }, "moved into the pool"],
];

interface Started {
  job: { id: number };
  items: number;
  undo_token: string;
}

interface Job {
  state: string;
  reason: string | null;
  progress: { done: number; total?: number } | null;
  result: { changed?: number; unchanged?: number; restored?: number; left?: number; left_keys?: string[] } | null;
}

/** What is asked before answers are overridden. */
interface Doubt {
  answered: number;
  items: number;
  words: string;
  go: (existing: string) => void;
}

export class Selection {
  private readonly editor: LabelEditor;
  private doubt: Doubt | null = null;
  private keys = new Set<string>();
  private last = -1;
  private whole: number | null = null; // all that fit the filter, so many
  private busy = false;
  private said = "";
  private fault = "";
  private token = "";

  /** `changed` draws the page; `done` reads the items again after they were changed. */
  constructor(
    private readonly task: Task,
    private readonly changed: () => void,
    private readonly done: () => void,
  ) {
    this.editor = new LabelEditor(task, changed);
  }

  clear(): void {
    this.keys.clear();
    this.whole = null;
    this.last = -1;
  }

  /** The box of a row; with Shift all rows between it and the one before are set alike. */
  box(items: ItemRow[], place: number): TemplateResult {
    const item = items[place] as ItemRow;
    return html`<input type="checkbox" class="pick" aria-label=${`Choose ${item.key}`} .checked=${this.whole !== null || this.keys.has(item.key)}
      @click=${(event: MouseEvent) => this.set(items, place, (event.target as HTMLInputElement).checked, event.shiftKey)}>`;
  }

  toggle(items: ItemRow[], place: number): void {
    const item = items[place];
    if (item) this.set(items, place, !this.keys.has(item.key), false);
  }

  private set(items: ItemRow[], place: number, on: boolean, range: boolean): void {
    if (this.whole !== null) for (const each of items) this.keys.add(each.key);
    this.whole = null;
    const from = range && this.last >= 0 ? Math.min(this.last, place) : place;
    const to = range && this.last >= 0 ? Math.max(this.last, place) : place;
    for (const { key } of items.slice(from, to + 1)) {
      if (on) this.keys.add(key);
      else this.keys.delete(key);
    }
    this.last = place;
    this.changed();
  }

  /** What is chosen, what may be done with it, and what was done; `filter` is that of the list, `more` says that it goes on. */
  view(items: ItemRow[], filter: string, more: boolean): TemplateResult {
    const chosen = this.whole ?? this.keys.size;
    const all = items.length > 0 && items.every(({ key }) => this.keys.has(key));
    return html`${
      items.length
        ? html`<div class="choosing">
      <label><input type="checkbox" .checked=${this.whole !== null || all} .indeterminate=${chosen > 0 && !all && this.whole === null}
        @click=${() => this.everyShown(items, !(all || this.whole !== null))}> ${chosen ? `${count(chosen)} chosen` : "Choose all shown"}</label>
      ${all && more && filter && this.whole === null ? html`<button type="button" class="quiet-button" @click=${() => this.everyOne(filter)}>Choose all that fit</button>` : nothing}
      ${chosen ? this.actions(filter) : nothing}</div>`
        : nothing
    }
      <p class="done" role="status" aria-label="Change" aria-busy=${this.busy}>${this.said}
        ${this.token && !this.busy ? html`<button type="button" class="secondary" @click=${() => this.undo()}>Undo</button>` : nothing}</p>
      ${this.fault ? html`<p role="alert" class="wrong">${this.fault}</p>` : nothing}`;
  }

  private actions(filter: string): TemplateResult {
    const act = (event: Event): void => {
      const box = event.target as HTMLSelectElement;
      const chosen = box.value;
      const found = ACTIONS[Number(chosen)];
      box.value = "";
      if (chosen === "label") this.askLabel(filter);
      else if (found) void this.change(filter, found[1], found[2]);
    };
    return html`<select aria-label="Do with the chosen items" ?disabled=${this.busy} @change=${act}>
        <option value="">Do with them …</option><option value="label">Label them as …</option>${ACTIONS.map(([name], place) => html`<option value=${place}>${name}</option>`)}</select>
      <form class="column" aria-label="Set a column of metadata" @submit=${(event: SubmitEvent) => this.setColumn(event, filter)}>
        <input name="name" required maxlength="200" placeholder="column" aria-label="Column of metadata">
        <input name="value" maxlength="1000" placeholder="value" aria-label="Its value">
        <button class="secondary" ?disabled=${this.busy}>Set</button></form>`;
  }

  private setColumn(event: SubmitEvent, filter: string): void {
    event.preventDefault();
    const given = new FormData(event.target as HTMLFormElement);
    const name = String(given.get("name"));
    void this.change(filter, { metadata: { [name]: String(given.get("value")) } }, `given ${name}`);
  }

  private everyShown(items: ItemRow[], on: boolean): void {
    this.clear();
    if (on) for (const { key } of items) this.keys.add(key);
    this.changed();
  }

  private everyOne(filter: string): Promise<void> {
    return this.work(async () => {
      const found = await call<{ count: number; more: boolean }>(
        "GET",
        `/projects/${this.task.project}/items/count?${filter}`,
      );
      if (found.more) throw new Error(`More than ${count(MOST)} items fit: narrow the filter to change them at once.`);
      this.whole = found.count;
    });
  }

  /** The class, or whatever the question wants, for all that are chosen; asked in a dialog of its own. */
  private askLabel(filter: string): void {
    const chosen = count(this.whole ?? this.keys.size);
    this.doubt = null;
    this.editor.ask(
      `Label ${chosen} items as`,
      null,
      null,
      false,
      (label, words) => {
        void this.label(filter, label, words, "refuse");
      },
      () => this.hide(),
    );
    this.show();
  }

  private label(filter: string, label: Value, words: string, existing: string): Promise<void> {
    document.querySelector<HTMLDialogElement>("dialog.label-many")?.close();
    return this.change(filter, { label }, `labelled as ${words}`, existing, (doubt) => {
      this.doubt = { ...doubt, words, go: (answer) => void this.label(filter, label, words, answer) };
      this.show();
    });
  }

  private show(): void {
    const dialog = document.querySelector<HTMLDialogElement>("dialog.label-many");
    if (dialog && !dialog.open) dialog.showModal();
    dialog?.querySelector<HTMLElement>(".label-editor, footer button")?.focus();
  }

  private hide(): void {
    this.doubt = null;
    if (this.editor.open) this.editor.close();
    document.querySelector<HTMLDialogElement>("dialog.label-many")?.close();
    this.changed();
  }

  /** What is asked before items are labelled. */
  dialog(): TemplateResult {
    const { doubt } = this;
    const key = (event: KeyboardEvent): void => {
      if (event.key !== "Escape") this.editor.key(event);
    };
    return html`<dialog class="item label-many" aria-label="Label the chosen items" @close=${() => this.hide()} @keydown=${key}><article>
      ${this.editor.view()} ${doubt ? this.question(doubt) : nothing}</article></dialog>`;
  }

  private question({ answered, items, words, go }: Doubt): TemplateResult {
    const others = items - answered;
    const which = others
      ? `${count(answered)} of the ${count(items)} items have`
      : answered === 1
        ? "The item has"
        : `All ${count(answered)} items have`;
    return html`<h3>${which} answers already</h3>
      <p>Your label, <strong class="long">${words}</strong>, would win over them. Nothing is lost, and it can be undone.</p>
      <footer>${others ? html`<button type="button" @click=${() => go("keep")}>Label the other ${count(others)}</button>` : nothing}
        <button type="button" class="secondary" @click=${() => go("override")}>Label all ${count(items)}</button>
        <button type="button" class="secondary" @click=${() => this.hide()}>Cancel</button></footer>`;
  }

  private change(
    filter: string,
    set: Record<string, unknown>,
    done: string,
    existing = "refuse",
    doubted?: (doubt: { answered: number; items: number }) => void,
  ): Promise<void> {
    const which = this.whole === null ? { keys: [...this.keys] } : { filter };
    return this.work(async () => {
      const started = await this.start({ ...which, set, existing }, doubted);
      if (!started) return;
      const { result } = await this.until(started.job.id);
      const same = result?.unchanged ? `; ${count(result.unchanged)} stayed as they were` : "";
      this.said = `${count(result?.changed ?? 0)} items ${done}${same}.`;
      this.token = result?.changed ? started.undo_token : "";
      this.clear();
      this.done();
    });
  }

  /** Begin a change; null where it is first to be asked what becomes of the items that have answers. */
  private async start(
    body: Record<string, unknown>,
    doubted?: (doubt: { answered: number; items: number }) => void,
  ): Promise<Started | null> {
    try {
      return await call<Started>("POST", `/projects/${this.task.project}/items/bulk`, { body });
    } catch (error) {
      const { answered, items } = error instanceof Refusal ? (error.more as Record<string, number>) : {};
      if (!doubted || answered === undefined || items === undefined) throw error;
      doubted({ answered, items });
      return null;
    }
  }

  private undo(): Promise<void> {
    const body = { undo_token: this.token };
    this.token = "";
    return this.work(async () => {
      const started = await call<Started>("POST", `/projects/${this.task.project}/items/bulk/undo`, { body });
      const { result } = await this.until(started.job.id);
      const names = result?.left_keys?.length ? ` (${result.left_keys.join(", ")})` : "";
      const left = result?.left ? ` ${count(result.left)} were changed meanwhile and left as they are${names}.` : "";
      this.said = `${count(result?.restored ?? 0)} items are as they were before.${left}`;
      this.done();
    });
  }

  /** Wait for a job, saying how far it is. */
  private async until(id: number): Promise<Job> {
    for (;;) {
      const job = await call<Job>("GET", `/jobs/${id}?wait=20`);
      if (job.state === "done") return job;
      if (job.state === "failed" || job.state === "cancelled")
        throw new Error(job.reason ?? `The change ${job.state}.`);
      this.said = job.progress ? `${count(job.progress.done)} items done` : "Waiting for the worker";
      this.changed();
    }
  }

  private async work(task: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.fault = "";
    this.said = "Working";
    this.changed();
    try {
      await task();
      if (this.said === "Working") this.said = "";
    } catch (error) {
      this.fault = message(error);
      this.said = "";
    }
    this.busy = false;
    this.changed();
  }
}
