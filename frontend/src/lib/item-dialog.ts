// One item, opened: its content, what was answered and by whom, what the model thinks, the notes on it; and what a
// manager may do about it. A correction is a new version; nothing that was answered is ever lost.
import { html, nothing, type TemplateResult } from "lit";
import type { Value } from "../editors/part";
import { call, message, send } from "./http";
import { type Answer, type ItemRow, labelChips, modelSays } from "./item-rows";
import { itemView } from "./item-view";
import { LabelEditor, type Task } from "./label-editor";
import type { ClassView } from "./serving";
import { moment, type VersionView, versionList } from "./versions";

interface Note {
  id: number;
  person: string;
  note: string;
  state: "open" | "closed";
  reply: string | null;
  created_at: string;
}

interface Details extends ItemRow {
  flags: Note[];
  versions: VersionView[];
}

const STUCK = 3; // people who skipped it: nobody is asked any more

export interface Rights {
  manager: boolean;
  classes: ClassView[];
  task: Task;
}

export class ItemDialog {
  private item: Details | null = null;
  private etag = "";
  private fault = "";
  private said = "";
  private readonly editor: LabelEditor;

  /** `changed` draws the page; `stored` hears of an item that is not what it was; `step` opens a neighbour. */
  constructor(
    private readonly rights: Rights,
    private readonly changed: () => void,
    private readonly stored: (item: ItemRow) => void,
    private readonly step: (from: number, by: number) => void,
  ) {
    this.editor = new LabelEditor(rights.task, changed);
  }

  async open(id: number): Promise<void> {
    this.fault = this.said = "";
    if (this.editor.open) this.editor.close();
    await this.work(async () => this.take(await send("GET", `/api/v1/items/${id}`)), "");
    const dialog = document.querySelector<HTMLDialogElement>("dialog.item");
    if (dialog && !dialog.open) dialog.showModal();
  }

  view(): TemplateResult {
    const { item } = this;
    return html`<dialog class="item" aria-label="Item" tabindex="-1" @close=${() => this.close()} @cancel=${(event: Event) => this.editor.open && event.preventDefault()} @keydown=${(event: KeyboardEvent) => this.onKey(event)}>
      <article>${item ? this.content(item) : html`<p class="wrong">${this.fault}</p>`}
        <footer><button type="button" @click=${() => this.close()}>Close</button>
          ${
            item
              ? html`<button type="button" class="secondary" @click=${() => this.step(item.id, -1)}>Previous <kbd>←</kbd></button>
          <button type="button" class="secondary" @click=${() => this.step(item.id, 1)}>Next <kbd>→</kbd></button>`
              : nothing
          }</footer>
      </article></dialog>`;
  }

  private content(item: Details): TemplateResult {
    const metadata = Object.entries(item.metadata);
    return html`<header><h2 class="long few-lines" title=${item.key}>${item.key}</h2>
        <p class="quiet">${stateWords(item)}</p></header>
      <div class="shown" tabindex="0" role="region" aria-label="Content">${itemView(item)}</div>
      ${this.fault ? html`<p role="alert" class="wrong">${this.fault}</p>` : nothing}<p role="status">${this.said}</p>
      <h3>Answers</h3>
      ${item.answers.length ? html`<ul class="plain answers-given">${item.answers.map((answer) => this.answer(answer))}</ul>` : html`<p class="quiet">None yet.</p>`}
      ${this.rights.manager && !this.editor.open ? html`<p><button type="button" class="secondary" @click=${() => this.decide(item)}>Say what it is <kbd>C</kbd></button></p>` : nothing}
      ${this.editor.view()} ${versionList(item.versions)}
      ${item.predicted ? html`<h3>The model</h3><p>${modelSays(item.predicted)}</p>` : nothing}
      ${item.flags.length ? html`<h3>Notes</h3><ul class="plain">${item.flags.map((note) => this.note(note))}</ul>` : nothing}
      ${metadata.length ? html`<h3>Metadata</h3><dl class="facts">${metadata.map(([name, value]) => html`<dt class="long">${name}</dt><dd class="long" dir="auto">${written(value)}</dd>`)}</dl>` : nothing}
      ${this.rights.manager ? this.actions(item) : nothing}`;
  }

  private answer(answer: Answer): TemplateResult {
    const who = answer.annotator ?? "unknown";
    const facts = [
      answer.origin === "human" ? (answer.seconds_spent ? `${answer.seconds_spent.toFixed(1)} s` : "") : answer.origin,
      answer.round === null ? "" : `round ${answer.round}`,
      answer.version > 1 ? `version ${answer.version}` : "",
      answer.counted ? "" : "not counted",
      answer.late ? "late" : "",
    ].filter(Boolean);
    return html`<li>${labelChips(answer.label, this.rights.classes)}
      <span class="quiet">${answer.annotator ?? "unknown"}, ${moment(answer.created_at)}${facts.map((fact) => `, ${fact}`)}</span>
      <span class="answer-actions"><button type="button" class="quiet-button" aria-label="Correct the answer of ${who}" @click=${() => this.askAgain(answer)}>Correct</button>
        <button type="button" class="quiet-button" aria-label="Take back the answer of ${who}" @click=${() => this.retract(answer)}>Take back</button></span></li>`;
  }

  private askAgain(answer: Answer): void {
    this.editor.ask(
      `Correct the answer of ${answer.annotator ?? "unknown"}`,
      this.item,
      answer.label,
      true,
      (label) => void this.correct(answer, label),
    );
  }

  /** A manager's own word, which wins over every answer. */
  private decide(item: Details): void {
    const own = item.label ?? item.answers.at(-1)?.label ?? null;
    this.editor.ask("Say what it is", item, own, true, (label, words) => {
      void this.work(async () => {
        this.take(await send("PUT", `/api/v1/items/${item.id}/label`, { body: { label } }));
      }, `You have said: ${words}. It wins over the other answers.`);
    });
  }

  private retract(answer: Answer): Promise<void> {
    const headers = { "If-Match": `"${answer.version}"` };
    return this.work(async () => {
      await call("DELETE", `/annotations/${answer.id}`, { headers });
      await this.reread();
    }, "Taken back: its versions are kept.");
  }

  private note(note: Note): TemplateResult {
    const state = note.state === "open" ? "closed" : "open";
    return html`<li class="long">“${note.note}” <span class="quiet">${note.person}${note.state === "closed" ? ", closed" : ""}</span>
      ${note.reply ? html`<br><span class="quiet">Reply:</span> ${note.reply}` : nothing}
      <button type="button" class="quiet-button" @click=${() => this.settle(note, state)}>${note.state === "open" ? "Close the note" : "Open it again"}</button>
      ${note.state === "open" ? this.replyForm(note) : nothing}</li>`;
  }

  /** A reply closes the note; its writer reads it at the next item. */
  private replyForm(note: Note): TemplateResult {
    const send = (event: SubmitEvent): void => {
      event.preventDefault();
      const reply = String(new FormData(event.target as HTMLFormElement).get("reply") ?? "").trim();
      if (reply) void this.settle(note, "closed", reply);
    };
    return html`<form class="inline" @submit=${send}><label>Reply to ${note.person}<input name="reply" maxlength="2000" autocomplete="off" required></label>
      <button class="secondary">Reply</button></form>`;
  }

  private actions(item: Details): TemplateResult {
    const state = item.state === "open" ? "excluded" : "open";
    const first = item.priority > 0;
    const said =
      state === "open" ? "It is asked about and learned from again." : "It is neither asked about nor learned from.";
    return html`<p class="actions">
      <button type="button" class="secondary" @click=${() => this.change({ state }, said)}>${state === "open" ? "Take it back in" : "Exclude it"}</button>
      ${item.skips >= STUCK && !item.answered ? html`<button type="button" class="secondary" @click=${() => this.serveAgain()}>Serve it again</button>` : nothing}
      ${item.answered ? nothing : html`<button type="button" class="secondary" @click=${() => this.change({ priority: first ? 0 : 1 }, first ? "It waits for its turn." : "It is asked about first.")}>${first ? "No longer first" : "Ask about it first"}</button>`}</p>`;
  }

  private correct(answer: Answer, label: Value): Promise<void> {
    const headers = { "If-Match": `"${answer.version}"` };
    return this.work(async () => {
      await call("PUT", `/annotations/${answer.id}`, { body: { label }, headers });
      await this.reread();
    }, "Corrected: the earlier version is kept.");
  }

  private settle(note: Note, state: string, reply?: string): Promise<void> {
    return this.work(
      async () => {
        await call("PATCH", `/flags/${note.id}`, { body: { state, ...(reply ? { reply } : {}) } });
        await this.reread();
      },
      reply
        ? `${note.person} reads your reply at the next item.`
        : state === "closed"
          ? "The note is closed."
          : "The note is open again.",
    );
  }

  private change(body: Record<string, unknown>, said: string): Promise<void> {
    return this.work(async () => {
      const headers = { "If-Match": this.etag };
      this.take(await send("PATCH", `/api/v1/items/${this.item?.id}`, { body, headers }));
    }, said);
  }

  private serveAgain(): Promise<void> {
    return this.work(async () => {
      this.take(await send("POST", `/api/v1/items/${this.item?.id}/serve-again`));
    }, "It is asked about again, also of those who skipped it.");
  }

  private async reread(): Promise<void> {
    this.take(await send("GET", `/api/v1/items/${this.item?.id}`));
  }

  private take(answer: { value: unknown; headers: Headers }): void {
    this.item = answer.value as Details;
    this.etag = answer.headers.get("etag") ?? "";
    this.stored(this.item);
  }

  private async work(task: () => Promise<void>, said: string): Promise<void> {
    this.fault = this.said = "";
    try {
      await task();
      this.said = said;
    } catch (error) {
      this.fault = message(error);
    }
    this.changed();
    // What was pressed may be gone now: the keys go on to the dialog.
    const dialog = document.querySelector<HTMLDialogElement>("dialog.item[open]");
    if (dialog && !dialog.contains(document.activeElement)) dialog.focus();
  }

  private onKey(event: KeyboardEvent): void {
    if (this.editor.key(event)) return;
    const target = event.target as HTMLElement;
    if (this.editor.open || !this.item || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.matches("select, input, textarea")) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key.toLowerCase() === "c" && this.rights.manager) this.decide(this.item);
    else if (by && !target.matches(".shown"))
      this.step(this.item.id, by); // there they scroll
    else return;
    event.preventDefault();
  }

  private close(): void {
    if (this.editor.open) this.editor.close();
    document.querySelector<HTMLDialogElement>("dialog.item")?.close();
    this.item = null;
    this.changed();
  }
}

function stateWords(item: ItemRow): string {
  const state = item.split === "audit" ? "of your own test set" : item.answered ? "answered" : "not answered";
  const where = item.state === "open" ? state : item.reason ? `${item.state}: ${item.reason}` : item.state;
  return item.priority > 0 && !item.answered ? `${where}, asked about first` : where;
}

const written = (value: unknown): string => (typeof value === "object" ? JSON.stringify(value) : String(value));
