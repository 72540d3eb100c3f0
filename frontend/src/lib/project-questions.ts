// The questions of a running project: their titles and order, which have to be answered, new ones and removed ones.
// No answer is touched: what a removed question was answered with stays in exports.
import { html, nothing, type TemplateResult } from "lit";
import { type FieldDraft, fieldDraft, fieldFaults, formFields, KINDS, tasksOf } from "./question-form";

/** A task as the interface shows it. */
export interface StoredTask {
  type: string;
  minimum?: number;
  maximum?: number;
  step?: number | null;
  fields?: StoredField[];
}

export interface StoredField {
  name: string;
  type: keyof typeof KINDS;
  title: string;
  description: string;
  required: boolean;
  drives: boolean;
  show_if: Record<string, (string | number)[]>;
}

export class ProjectQuestions {
  private kept: StoredField[] = [];
  private added: FieldDraft[] = [];
  private before = "";
  private fault = "";

  /** `save` sends the whole task. */
  constructor(
    private readonly modality: string,
    private readonly draw: () => void,
    private readonly save: (task: Record<string, unknown>) => Promise<void>,
  ) {}

  /** The task as it is stored now. */
  take(task: StoredTask): void {
    this.kept = structuredClone(task.fields ?? []);
    this.added = [];
    this.fault = "";
    this.before = JSON.stringify(this.kept);
  }

  view(task: StoredTask, silence: string | null): TemplateResult | typeof nothing {
    if (task.type === "classification") return nothing;
    const words = silence ? html`<p>${silence}</p>` : nothing;
    if (task.type !== "form")
      return html`<section class="card" aria-labelledby="questions"><h2 id="questions">Question</h2><p>${oneQuestion(task)}</p>${words}</section>`;
    return html`<form class="card" aria-labelledby="questions" novalidate @submit=${(event: Event) => this.submit(event)}><h2 id="questions">Questions</h2>
      ${words}<ol class="form-fields">${this.kept.map((field, place) => this.field(field, place))}</ol>
      ${this.added.length ? html`<h3>New questions</h3>${formFields(this.added, this.draw, false)}` : nothing}
      ${this.fault ? html`<p role="alert" class="wrong">${this.fault}</p>` : nothing}
      <p><button type="button" class="secondary" @click=${() => this.add()}>Add a question</button>
      <button type="submit" ?disabled=${!this.changed}>Save the questions</button></p>
      <p class="quiet">Answers that were given stay, also to a question that is removed. Whoever labels sees the change within half a minute.</p></form>`;
  }

  private get changed(): boolean {
    return this.added.length > 0 || JSON.stringify(this.kept) !== this.before;
  }

  private add(): void {
    this.added.push(fieldDraft("transcription"));
    this.draw();
  }

  private field(field: StoredField, place: number): TemplateResult {
    const called = field.title || field.name;
    const set = (part: "title" | "description") => (event: Event) => {
      field[part] = (event.target as HTMLInputElement).value;
      this.draw();
    };
    const move = (by: number) => () => {
      this.kept.splice(place, 1);
      this.kept.splice(place + by, 0, field);
      this.draw();
    };
    const remove = (): void => {
      this.kept.splice(place, 1);
      for (const other of this.kept) delete other.show_if[field.name];
      this.draw();
    };
    const conditions = Object.entries(field.show_if).map(([name, values]) => `${name} is ${values.join(" or ")}`);
    return html`<li class="form-field card"><div class="form-field-head">
      <input type="text" class="title" maxlength="200" aria-label="Title of ${field.name}" .value=${field.title} @input=${set("title")}>
      <button type="button" class="quiet-button" aria-label="Move ${called} up" ?disabled=${place === 0} @click=${move(-1)}>↑</button>
      <button type="button" class="quiet-button" aria-label="Move ${called} down" ?disabled=${place === this.kept.length - 1} @click=${move(1)}>↓</button>
      <button type="button" class="quiet-button" aria-label="Remove ${called}" ?disabled=${this.kept.length + this.added.length < 2} @click=${remove}>×</button></div>
      <p class="quiet"><code>${field.name}</code>: ${KINDS[field.type].toLowerCase()}${field.drives ? "; it drives the queue" : ""}${conditions.length ? `; only where ${conditions.join(" and ")}` : ""}</p>
      <label><input type="checkbox" .checked=${field.required} @change=${(event: Event) => {
        field.required = (event.target as HTMLInputElement).checked;
        this.draw();
      }}> has to be answered</label>
      <input type="text" maxlength="10000" placeholder="A sentence of help, if any" aria-label="Help for ${called}" .value=${field.description} @input=${set("description")}></li>`;
  }

  private submit(event: Event): void {
    event.preventDefault();
    this.fault = fieldFaults(this.added, this.modality) ?? "";
    if (this.fault) {
      this.draw();
      return;
    }
    const names = this.kept.map(({ name }) => name);
    void this.save({ type: "form", fields: [...this.kept, ...tasksOf(this.added, names)] });
  }
}

function oneQuestion({ type, minimum, maximum, step }: StoredTask): string {
  if (type !== "rating") return `${KINDS[type as keyof typeof KINDS]}.`;
  return `A number from ${minimum} to ${maximum}${step == null ? "" : ` by ${step}`}.`;
}
