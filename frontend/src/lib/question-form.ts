// The question of a new project: one of four kinds, or a form of several of them, put together row by row.
import { html, nothing, type TemplateResult } from "lit";
import { type ClassDraft, classDraft, classFault, classRows } from "./class-editor";

export type Kind = "classification" | "rating" | "comparison" | "transcription";

export interface Scale {
  minimum: string;
  maximum: string;
  step: string; // empty: any number between
}

/** One question of a form, as it is being written. */
export interface FieldDraft extends Scale {
  title: string;
  description: string;
  type: Kind;
  required: boolean;
  multiple: boolean;
  classes: ClassDraft[];
  when: string; // title of an earlier question that has to be answered so; empty: always asked
  is: string;
}

export interface QuestionDraft {
  kind: Kind | "form";
  multiple: boolean;
  classes: ClassDraft[];
  scale: Scale;
  fields: FieldDraft[];
}

export const KINDS: Record<Kind | "form", string> = {
  classification: "Choose a class",
  rating: "Give a number",
  comparison: "Put candidates in order",
  transcription: "Write a text",
  form: "Several questions: a form",
};
const MOST_FIELDS = 30;
const MOST_BUTTONS = 10;
const MOST_LEVELS = 101;
const TITLE_LENGTH = 200;
const NAME_LENGTH = 40;

export const newScale = (): Scale => ({ minimum: "1", maximum: "5", step: "1" });

export const fieldDraft = (type: Kind, title = ""): FieldDraft => ({
  title,
  description: "",
  type,
  required: type !== "transcription",
  multiple: false,
  classes: [classDraft("", 0), classDraft("", 1)],
  ...newScale(),
  when: "",
  is: "",
});

/** The names under which answers are exported: made from the titles, each another one. */
export function fieldNames(fields: FieldDraft[], before: string[] = []): string[] {
  const taken = new Set(["label", ...before]);
  return fields.map(({ title }, place) => {
    const plain = title
      .normalize("NFKD")
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "_");
    const bare = plain.replace(/^[^a-z]+|_+$/g, "").slice(0, NAME_LENGTH) || `question_${place + 1}`;
    const name = taken.has(bare) ? `${bare}_${place + 1}` : bare;
    taken.add(name);
    return name;
  });
}

/** The levels of a scale as numbers; none without steps, or where there are too many for a learner. */
export function levels({ minimum, maximum, step }: Scale): number[] {
  const [low, high, by] = [Number(minimum), Number(maximum), Number(step)];
  const count = Math.round((high - low) / by) + 1;
  if (step.trim() === "" || !(by > 0) || !(count >= 2) || count > MOST_LEVELS) return [];
  return Array.from({ length: count }, (_value, place) => Number((low + place * by).toFixed(9)));
}

/** What is wrong with the question, in words; null where the project can be made. */
export function questionFault(draft: QuestionDraft, modality: string): string | null {
  if (draft.kind === "classification") return classFault(draft.classes);
  if (draft.kind === "rating") return scaleFault(draft.scale);
  if (draft.kind === "comparison")
    return modality === "text" ? null : "Candidates are texts: choose text as the kind of items.";
  if (draft.kind === "transcription") return null;
  return draft.fields.length ? fieldFaults(draft.fields, modality) : "Add a question to the form.";
}

/** What is wrong with the first of some questions that cannot be asked. */
export function fieldFaults(fields: FieldDraft[], modality: string): string | null {
  for (const [place, field] of fields.entries()) {
    const fault = fieldFault(field, fields.slice(0, place), modality);
    if (fault) return `Question ${place + 1}: ${fault}`;
  }
  return null;
}

function fieldFault(field: FieldDraft, before: FieldDraft[], modality: string): string | null {
  if (!field.title.trim()) return "Say what is asked.";
  if (before.some(({ title }) => title.trim() === field.title.trim())) return "Another question asks the same.";
  if (field.type === "comparison" && modality !== "text") return "Candidates are texts.";
  if (field.when && !answersOf(before.find(({ title }) => title === field.when)).includes(field.is))
    return "Choose the answer after which it is asked.";
  if (field.type === "classification") return classFault(field.classes);
  return field.type === "rating" ? scaleFault(field) : null;
}

function scaleFault({ minimum, maximum, step }: Scale): string | null {
  const numbers = [minimum, maximum, ...(step.trim() ? [step] : [])];
  if (numbers.some((each) => each.trim() === "" || Number.isNaN(Number(each)))) return "The scale needs numbers.";
  const span = Number(maximum) - Number(minimum);
  if (!(span > 0)) return "The highest number is above the lowest one.";
  const steps = span / Number(step);
  if (step.trim() && (!(Number(step) > 0) || Math.abs(steps - Math.round(steps)) > 1e-9 * Math.max(1, steps)))
    return "The step divides the way from the lowest to the highest number evenly.";
  return null;
}

/** The task as the interface takes it. */
export function taskOf(draft: QuestionDraft): Record<string, unknown> {
  if (draft.kind === "classification") return { type: draft.kind, ...classesOf(draft) };
  if (draft.kind === "rating") return { type: draft.kind, ...scaleOf(draft.scale) };
  if (draft.kind !== "form") return { type: draft.kind };
  return { type: "form", fields: tasksOf(draft.fields) };
}

/** Questions of a form as the interface takes them, beside others of these names. */
export function tasksOf(fields: FieldDraft[], before: string[] = []): Record<string, unknown>[] {
  const names = fieldNames(fields, before);
  return fields.map((field, place) => fieldOf(field, names, fields, place));
}

function fieldOf(field: FieldDraft, names: string[], fields: FieldDraft[], place: number): Record<string, unknown> {
  const asked = fields.findIndex(({ title }) => field.when !== "" && title === field.when);
  const other = fields[asked];
  const is = other?.type === "rating" ? Number(field.is) : field.is;
  return {
    name: names[place],
    title: field.title.trim(),
    description: field.description.trim(),
    type: field.type,
    required: field.required,
    ...(other && asked < place ? { show_if: { [names[asked] as string]: is } } : {}),
    ...(field.type === "classification" ? classesOf(field) : field.type === "rating" ? scaleOf(field) : {}),
  };
}

const classesOf = ({ multiple, classes }: { multiple: boolean; classes: ClassDraft[] }) => ({
  multiple,
  classes: classes
    .filter((each) => each.name.trim())
    .map((each) => ({
      name: each.name.trim(),
      color: each.color,
      ...(each.hotkey ? { hotkey: each.hotkey } : {}),
    })),
});

const scaleOf = ({ minimum, maximum, step }: Scale) => ({
  minimum: Number(minimum),
  maximum: Number(maximum),
  ...(step.trim() ? { step: Number(step) } : {}),
});

/** Whether a learner is taught; else why not. */
export function silence(draft: QuestionDraft): string | null {
  const scales = (type: Kind | "form", scale: Scale): boolean => type === "rating" && levels(scale).length > 0;
  const teaches =
    draft.kind === "form"
      ? draft.fields.some((each) => each.type === "classification" || scales(each.type, each))
      : draft.kind === "classification" || scales(draft.kind, draft.scale);
  if (teaches) return null;
  return "Nothing here teaches a learner: the order covers the items, and no suggestion is made. A class, or a number in at most 101 steps, would.";
}

/** The fields of the question; `addClass` adds one to the classes of a single classification. */
export function questionFields(draft: QuestionDraft, changed: () => void, addClass: () => void): TemplateResult {
  const choose = (event: Event): void => {
    const kind = (event.target as HTMLSelectElement).value as QuestionDraft["kind"];
    if (kind === "form" && !draft.fields.length)
      draft.fields.push({
        ...fieldDraft("classification", "Which class is it?"),
        classes: draft.classes.map((each) => ({ ...each })),
        multiple: draft.multiple,
      });
    draft.kind = kind;
    changed();
  };
  const words = silence(draft);
  return html`<label>What people do<select @change=${choose}>${Object.entries(KINDS).map(([kind, said]) => html`<option value=${kind} ?selected=${kind === draft.kind}>${said}</option>`)}</select></label>
    ${
      draft.kind === "classification"
        ? html`${amount(draft, "multiple", changed)}<h3>Classes</h3>${classRows(draft.classes, changed)}
      <button type="button" class="secondary" @click=${addClass}>Add a class</button>`
        : nothing
    }
    ${draft.kind === "rating" ? scaleFields(draft.scale, "", changed) : nothing}
    ${draft.kind === "comparison" ? html`<p class="quiet">Each item holds 2 to 10 candidates, and a text above them if there is one. People pick the best first.</p>` : nothing}
    ${draft.kind === "form" ? formFields(draft.fields, changed) : nothing}
    ${words ? html`<p class="quiet" role="status">${words}</p>` : nothing}`;
}

function amount(draft: { multiple: boolean }, name: string, changed: () => void): TemplateResult {
  const choose = (multiple: boolean) => () => {
    draft.multiple = multiple;
    changed();
  };
  return html`<fieldset><legend>An item has</legend>
    <label><input type="radio" name=${name} .checked=${!draft.multiple} @change=${choose(false)}> exactly one class</label>
    <label><input type="radio" name=${name} .checked=${draft.multiple} @change=${choose(true)}> any number of classes</label></fieldset>`;
}

function scaleFields(scale: Scale, of: string, changed: () => void): TemplateResult {
  const set = (part: keyof Scale) => (event: Event) => {
    scale[part] = (event.target as HTMLInputElement).value;
    changed();
  };
  const field = (part: keyof Scale, words: string) =>
    html`<label>${words}<input type="number" step="any" .value=${scale[part]} aria-label="${words}${of}" @input=${set(part)}></label>`;
  const count = levels(scale).length;
  const said = !count
    ? "Any number between: given on a slider, and no learner is taught."
    : count <= MOST_BUTTONS
      ? `${count} levels: a button and a key each.`
      : `${count} levels: given on a slider.`;
  return html`<div class="fields tight">${field("minimum", "Lowest")} ${field("maximum", "Highest")} ${field("step", "Step")}</div>
    <p class="quiet">${scaleFault(scale) ?? said}</p>`;
}

/** The rows of a form's questions; with `more` a button that adds one. */
export function formFields(fields: FieldDraft[], changed: () => void, more = true): TemplateResult {
  const add = (): void => {
    fields.push(fieldDraft("classification"));
    changed();
    document.querySelector<HTMLInputElement>(".form-field:last-of-type input.title")?.focus();
  };
  return html`<ol class="form-fields">${fields.map((field, place) => formField(field, place, fields, changed))}</ol>
    ${more && fields.length < MOST_FIELDS ? html`<button type="button" class="secondary" @click=${add}>Add a question</button>` : nothing}`;
}

function formField(field: FieldDraft, place: number, fields: FieldDraft[], changed: () => void): TemplateResult {
  const called = `question ${place + 1}`;
  const set = (part: "title" | "description" | "type" | "when" | "is") => (event: Event) => {
    const value = (event.target as HTMLInputElement).value;
    if (part === "title") for (const other of fields) if (other.when && other.when === field.title) other.when = value;
    Object.assign(field, { [part]: value });
    if (part === "type" && value === "transcription") field.required = false;
    if (part === "when") field.is = answersOf(fields.find(({ title }) => title === value))[0] ?? "";
    changed();
  };
  const move = (by: number) => () => {
    fields.splice(place, 1);
    fields.splice(place + by, 0, field);
    changed();
  };
  const remove = (): void => {
    fields.splice(place, 1);
    for (const other of fields) if (other.when === field.title) other.when = "";
    changed();
  };
  return html`<li class="form-field card">
    <div class="form-field-head"><input type="text" class="title" maxlength=${TITLE_LENGTH} placeholder="What is asked?" aria-label="Title of ${called}" .value=${field.title} @input=${set("title")}>
      <button type="button" class="quiet-button" aria-label="Move ${called} up" ?disabled=${place === 0} @click=${move(-1)}>↑</button>
      <button type="button" class="quiet-button" aria-label="Move ${called} down" ?disabled=${place === fields.length - 1} @click=${move(1)}>↓</button>
      <button type="button" class="quiet-button" aria-label="Remove ${called}" @click=${remove}>×</button></div>
    <div class="fields tight">
      <label>Answer<select aria-label="Kind of ${called}" @change=${set("type")}>${(Object.keys(KINDS) as Kind[]).filter((kind) => (kind as string) !== "form").map((kind) => html`<option value=${kind} ?selected=${kind === field.type}>${KINDS[kind]}</option>`)}</select></label>
      ${condition(field, fields.slice(0, place), called, set)}
    </div>
    <label><input type="checkbox" .checked=${field.required} @change=${(event: Event) => {
      field.required = (event.target as HTMLInputElement).checked;
      changed();
    }}> has to be answered</label>
    ${
      field.type === "classification"
        ? html`${amount(field, `multiple ${place}`, changed)}${classRows(field.classes, changed, ` of ${called}`)}
      <button type="button" class="secondary" aria-label="Add a class to ${called}" @click=${() => {
        field.classes.push(classDraft("", field.classes.length));
        changed();
      }}>Add a class</button>`
        : nothing
    }
    ${field.type === "rating" ? scaleFields(field, ` of ${called}`, changed) : nothing}
    <input type="text" maxlength="10000" placeholder="A sentence of help, if any" aria-label="Help for ${called}" .value=${field.description} @input=${set("description")}></li>`;
}

function condition(
  field: FieldDraft,
  before: FieldDraft[],
  called: string,
  set: (part: "when" | "is") => (event: Event) => void,
): TemplateResult | typeof nothing {
  const able = before.filter((each) => each.title.trim() && answersOf(each).length);
  if (!able.length) return nothing;
  const answers = answersOf(able.find(({ title }) => title === field.when));
  return html`<label>Asked<select aria-label="When ${called} is asked" @change=${set("when")}><option value="">always</option>
      ${able.map(({ title }) => html`<option value=${title} ?selected=${title === field.when}>only after “${title}”</option>`)}</select></label>
    ${answers.length ? html`<label>is<select aria-label="Answer after which ${called} is asked" @change=${set("is")}>${answers.map((each) => html`<option value=${each} ?selected=${each === field.is}>${each}</option>`)}</select></label>` : nothing}`;
}

/** The answers that a condition may name. */
function answersOf(field: FieldDraft | undefined): string[] {
  if (field?.type === "classification") return field.classes.map(({ name }) => name.trim()).filter(Boolean);
  return field?.type === "rating" ? levels(field).map(String) : [];
}
