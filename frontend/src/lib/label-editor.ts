// Saying again what an item is, outside of the annotate page: the same questions, buttons and keys as there.
import { html, nothing, type TemplateResult } from "lit";
import type { QuestionView, Value } from "../editors/part";
import { Sheet } from "../editors/sheet";
import { classKeys, type Keymap, meaning } from "./keys";
import { habits, recall } from "./remembered";
import type { ItemView, LabelView } from "./serving";

const NOTHING: ItemView = { id: 0, key: "" };

export interface Task {
  project: number;
  form: boolean;
  questions: QuestionView[];
}

export class LabelEditor {
  private sheet: Sheet | null = null;
  private title = "";
  private left: () => void = () => {}; // hears that it stays as it is
  private readonly keymap: Keymap;

  /** `changed` draws the page. */
  constructor(
    private readonly task: Task,
    private readonly changed: () => void,
  ) {
    this.keymap = { actions: recall("keys", {}), classes: recall(`class keys ${task.project}`, {}) };
  }

  get open(): boolean {
    return this.sheet !== null;
  }

  /** Ask; `give` hears the whole answer. With `instant` one choice can be the whole answer. */
  ask(
    title: string,
    item: ItemView | null,
    label: LabelView | null,
    instant: boolean,
    give: (label: Value, words: string) => void,
    left: () => void = () => {},
  ): void {
    this.left = left;
    const answer = (value: Value, words: string): void => {
      this.close();
      give(value, words);
    };
    this.title = title;
    this.sheet = new Sheet(this.task.questions, this.task.form, document.documentElement, {
      changed: this.changed,
      answer,
      instant: () => instant,
      keys: (classes) => classKeys(classes, this.keymap),
    });
    this.sheet.begin(item ?? NOTHING, null);
    if (label && !this.sheet.direct) this.sheet.fill(label);
    this.changed();
    this.sheet.shown();
    document.querySelector<HTMLElement>(".label-editor")?.focus();
  }

  close(): void {
    this.sheet = null;
    this.changed();
  }

  private leave(): void {
    this.close();
    this.left();
  }

  view(): TemplateResult | typeof nothing {
    if (!this.sheet) return nothing;
    return html`<section class="label-editor annotating" aria-label=${this.title} tabindex="-1"><h3>${this.title}</h3>
      ${this.sheet.view()}
      <button type="button" class="quiet-button" @click=${() => this.leave()}>Leave it as it is <kbd>Esc</kbd></button></section>`;
  }

  /** Take a key that means something here; whether it did. */
  key(event: KeyboardEvent): boolean {
    if (!this.sheet) return false;
    if (event.key === "Escape") this.leave();
    else if (!this.typed(event, this.sheet)) return false;
    event.preventDefault();
    return true;
  }

  private typed(event: KeyboardEvent, sheet: Sheet): boolean {
    if (event.key === "Enter" && (event.target as HTMLElement).matches(".class-filter")) {
      sheet.first();
      return true;
    }
    const meant = habits().keys || event.key === "Enter" ? meaning(event, sheet.keys, this.keymap) : null;
    if (meant?.kind === "class") sheet.pick(meant.index);
    else if (meant?.kind === "submit") sheet.submit();
    else if (meant?.kind === "unpick") sheet.back();
    else if (meant?.kind === "left" || meant?.kind === "right") sheet.move(meant.kind === "left" ? -1 : 1);
    else if (meant?.kind === "filter") document.querySelector<HTMLElement>(".label-editor .class-filter")?.focus();
    else return false;
    return true;
  }
}
