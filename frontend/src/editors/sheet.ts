// The questions of one item: which of them are asked, which one the keys go to, and when the answer is whole.
import { html, nothing, type TemplateResult } from "lit";
import type { ItemView, LabelView, LeaseView } from "../lib/serving";
import { ChoicePart } from "./choice";
import { ComparisonPart } from "./comparison";
import { FreeTextPart } from "./free-text";
import { classIds, type Frame, type Part, type PartHost, type QuestionView, type Value } from "./part";
import { RatingPart } from "./rating";

/** What a sheet asks of its page. */
export interface SheetHost {
  changed: () => void;
  /** The whole answer, in the API's form and in words. */
  answer: (label: Value, words: string) => void;
  instant: () => boolean; // the habit that one choice submits at once
  keys: PartHost["keys"];
}

type PartMaker = (question: QuestionView, host: PartHost) => Part;

const PARTS: Record<string, PartMaker> = {
  classification: (question, host) => new ChoicePart(question, host),
  rating: (question, host) => new RatingPart(question, host),
  comparison: (question, host) => new ComparisonPart(question, host),
  transcription: (question, host) => new FreeTextPart(question, host),
};

/** Two answers, either of which is a whole one. */
export type Pair = [{ words: string; give: () => void }, { words: string; give: () => void }];

export class Sheet {
  private readonly parts: Part[];
  private suggestion: LeaseView["suggestion"] = null;
  private rejected = false;
  private current = 0; // the part that the keys go to
  private lacking = ""; // what is still to be answered, in words

  constructor(
    questions: QuestionView[],
    private readonly form: boolean,
    private readonly root: HTMLElement,
    private readonly host: SheetHost,
  ) {
    this.parts = questions.map((question, place) => this.part(question, place));
  }

  /** Another item: nothing is answered, the suggestion is its own. */
  begin(item: ItemView, suggestion: LeaseView["suggestion"]): void {
    for (const part of this.parts) part.begin(item);
    this.suggestion = suggestion;
    this.rejected = false;
    this.current = 0;
    this.lacking = "";
  }

  /** The item is on screen: in a form the keys go to the question they are at, a lone field takes what is typed. */
  shown(): void {
    if (this.form) this.focus(this.focused);
    else this.root.querySelector<HTMLElement>(".answers [data-focus]")?.focus();
  }

  /** The questions are others now: what is gone is chosen no longer. */
  renew(questions: QuestionView[]): void {
    this.parts.splice(0, this.parts.length, ...questions.map((question, place) => this.kept(question, place)));
  }

  get keys(): string[] {
    return this.focused?.keys ?? [];
  }

  /** Whether one choice is the whole answer. */
  get direct(): boolean {
    const only = this.parts[0];
    const single = only instanceof ChoicePart ? !only.several : only instanceof RatingPart && only.buttons.length > 0;
    return !this.form && single && this.host.instant();
  }

  view(): TemplateResult {
    const [only] = this.parts;
    if (!this.form) return html`${only?.view(this.frame(only)) ?? nothing}`;
    return html`<div class="form-parts">${this.asked.map((part) => this.field(part))}</div>
      <p class="lacking" role="alert">${this.lacking}</p>
      <button type="button" class="submit" @click=${() => this.submit()}>Submit <kbd>Enter</kbd></button>`;
  }

  pick(index: number): void {
    this.focused?.pick(index);
  }

  /** Enter in the field that finds a class: the first one that has what was typed. */
  first(): void {
    if (this.focused instanceof ChoicePart) this.focused.first();
  }

  back(): void {
    if (this.focused?.back()) this.host.changed();
  }

  submit(): void {
    const open = this.asked.find((part) => part.question.required && part.value === null);
    if (open && this.form) {
      const left = this.asked.filter((part) => part.question.required && part.value === null).length;
      this.lacking = `${left === 1 ? "One question is" : `${left} questions are`} still open: ${open.question.title}.`;
      this.host.changed();
      this.focus(open);
    } else if (!open) this.hand();
  }

  /** Take the suggestion: as the whole answer, or in a form as the answer to its question. */
  accept(): void {
    const part = this.driving;
    const suggested = part && this.suggested(part);
    if (!suggested || !part.take(suggested)) return;
    if (!this.form) {
      this.hand();
      return;
    }
    this.lacking = "";
    this.host.changed();
    this.next(part);
  }

  reject(): void {
    if (!this.suggestion) return;
    const pair = this.pair;
    const suggested = this.parts[0] && this.suggested(this.parts[0]);
    if (pair && suggested) {
      const ids = classIds(suggested, this.parts[0]?.question.classes ?? []);
      const other = this.parts[0]?.question.classes.findIndex(({ id }) => !ids.includes(id)) ?? -1;
      if (ids.length === 1 && other >= 0) {
        pair[other]?.give();
        return;
      }
    }
    this.rejected = true;
    this.host.changed();
  }

  /** Fill in an earlier answer, so that it can be mended. */
  fill(label: LabelView): void {
    if (!this.form) this.parts[0]?.take(label as Value);
    for (const [id, value] of Object.entries(label.fields ?? {}))
      this.parts.find(({ question }) => question.id === id)?.take(value as Value);
  }

  /** What is there so far, by question, and the question that the keys go to. */
  get begun(): { values: Record<string, Value>; at: string } {
    const found = this.parts.flatMap((part) => (part.begun ? [[part.question.id, part.begun] as const] : []));
    return { values: Object.fromEntries(found), at: this.focused?.question.id ?? "" };
  }

  /** Go on where an answer was begun; what no longer fits its question is left out. */
  resume({ values, at }: { values: Record<string, Value>; at: string }): void {
    for (const part of this.parts) {
      const value = values[part.question.id];
      if (value) part.take(value);
    }
    this.current = Math.max(
      0,
      this.asked.findIndex(({ question }) => question.id === at),
    );
  }

  /** Both answers, where there are two, one of which is the whole answer; else null. */
  get pair(): Pair | null {
    const [left, right, more] = this.parts[0]?.question.classes ?? [];
    if (!left || !right || more || !this.direct || !(this.parts[0] instanceof ChoicePart)) return null;
    return [
      { words: left.name, give: () => this.pick(0) },
      { words: right.name, give: () => this.pick(1) },
    ];
  }

  /** The suggestion in words; empty where there is none, or it was rejected. */
  get suggests(): string {
    const part = this.driving;
    const suggested = part && this.suggested(part);
    if (!suggested) return "";
    if (typeof suggested.value === "number") return String(suggested.value);
    const ids = classIds(suggested, part.question.classes);
    return part.question.classes
      .filter(({ id }) => ids.includes(id))
      .map(({ name }) => name)
      .join(", ");
  }

  /** Move the focus among the answers of the question that has it. */
  move(step: number): void {
    const part = this.focused;
    const place = this.form && part ? this.root.querySelector(`[data-question="${part.question.id}"]`) : this.root;
    const buttons = [...(place?.querySelectorAll<HTMLButtonElement>(".class-button") ?? [])];
    const now = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[now < 0 ? (step > 0 ? 0 : buttons.length - 1) : (now + step + buttons.length) % buttons.length]?.focus();
  }

  private part(question: QuestionView, place: number): Part {
    const make = PARTS[question.type] ?? PARTS.classification;
    return (make as PartMaker)(question, {
      changed: () => {
        this.lacking = "";
        this.host.changed();
      },
      given: () => this.given(place),
      submit: () => this.submit(),
      keys: (classes) => this.host.keys(classes),
    });
  }

  private kept(question: QuestionView, place: number): Part {
    const before = this.parts.find((part) => part.question.id === question.id);
    if (!before || before.question.type !== question.type || this.parts[place] !== before)
      return this.part(question, place);
    before.renew(question);
    return before;
  }

  /** One choice was made: it is the whole answer, or the next question is asked. */
  private given(place: number): void {
    if (this.direct) {
      this.hand();
      return;
    }
    this.lacking = "";
    this.host.changed();
    if (this.form && this.parts[place]) this.next(this.parts[place]);
  }

  private hand(): void {
    const answered = this.asked.filter((part) => part.value !== null);
    if (!answered.length) return;
    if (!this.form) {
      const [only] = answered;
      this.host.answer(only?.value as Value, only?.words ?? "");
      return;
    }
    const fields = Object.fromEntries(answered.map((part) => [part.question.id, part.value]));
    this.host.answer({ fields }, answered.map((part) => `${part.question.title}: ${part.words}`).join("; "));
  }

  private get driving(): Part | undefined {
    return this.parts.find(({ question }) => question.drives);
  }

  private get focused(): Part | undefined {
    return this.form ? (this.asked[this.current] ?? this.asked[0]) : this.parts[0];
  }

  /** The questions that are asked: all but those whose condition does not hold. */
  private get asked(): Part[] {
    const asked: Part[] = [];
    for (const part of this.parts)
      if (Object.entries(part.question.show_if).every(([id, ids]) => holds(asked, id, ids))) asked.push(part);
    return asked;
  }

  private suggested(part: Part): Value | null {
    if (!this.suggestion || this.rejected || !part.question.drives) return null;
    const { label } = this.suggestion;
    return ((this.form ? label.fields?.[part.question.id] : label) ?? null) as Value | null;
  }

  private frame(part: Part): Frame {
    const suggested = this.suggested(part);
    const probability = suggested ? (this.suggestion?.probability ?? null) : null;
    return { alone: !this.form, direct: this.direct, suggested, probability };
  }

  private field(part: Part): TemplateResult {
    const { id, title, description, required } = part.question;
    const here = this.focused === part;
    const focused = (): void => {
      this.current = this.asked.indexOf(part);
      this.host.changed();
    };
    return html`<fieldset class=${here ? "form-part here" : "form-part"} data-question=${id} tabindex=${part.keys.length ? "0" : "-1"} @focusin=${here ? nothing : focused}>
      <legend>${title}${required ? nothing : html` <small class="quiet">optional</small>`}</legend>
      ${description ? html`<p class="quiet">${description}</p>` : nothing}
      ${part.view(this.frame(part))}</fieldset>`;
  }

  private next(part: Part): void {
    const { asked } = this;
    this.focus(asked[asked.indexOf(part) + 1] ?? part);
  }

  /** Let the keys go to a question: to its field where it has one, else to the question itself. */
  private focus(part: Part | undefined): void {
    if (!part) return;
    const field = this.root.querySelector<HTMLElement>(`[data-question="${part.question.id}"]`);
    const inner = field?.querySelector<HTMLElement>("[data-focus]");
    (inner ?? field)?.focus({ preventScroll: true });
    field?.scrollIntoView({ block: "nearest" });
  }
}

/** Whether a question that was asked before holds one of these classes. */
function holds(asked: Part[], id: string, ids: number[]): boolean {
  const part = asked.find(({ question }) => question.id === id);
  const value = part?.value;
  return (
    part !== undefined && value != null && classIds(value, part.question.classes).some((each) => ids.includes(each))
  );
}
