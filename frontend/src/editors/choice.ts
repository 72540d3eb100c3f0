// Classification: one class, or any number of them, by buttons and keys.
import type { TemplateResult } from "lit";
import type { ItemView } from "../lib/serving";
import { answerButtons, type Choice } from "./class-buttons";
import { classIds, type Frame, type Part, type PartHost, type QuestionView, type Value } from "./part";

export class ChoicePart implements Part {
  private chosen = new Set<number>();
  private filter = "";

  constructor(
    public question: QuestionView,
    private readonly host: PartHost,
  ) {}

  get several(): boolean {
    return this.question.options.multiple ?? false;
  }

  get value(): Value | null {
    const ids = [...this.chosen].sort((a, b) => a - b);
    if (!ids.length) return null;
    return this.several ? { class_ids: ids } : { class_id: ids[0] };
  }

  get begun(): Value | null {
    return this.value;
  }

  get words(): string {
    return this.question.classes
      .filter(({ id }) => this.chosen.has(id))
      .map(({ name }) => name)
      .join(", ");
  }

  get keys(): string[] {
    return this.host.keys(this.question.classes);
  }

  begin(_item: ItemView): void {
    this.chosen = new Set();
    this.filter = "";
  }

  take(value: Value): boolean {
    const ids = classIds(value, this.question.classes);
    this.chosen = new Set(this.several ? ids : ids.slice(0, 1));
    return this.chosen.size > 0;
  }

  renew(question: QuestionView): void {
    this.question = question;
    this.chosen = new Set([...this.chosen].filter((id) => question.classes.some((each) => each.id === id)));
  }

  pick(index: number): void {
    const found = this.question.classes[index];
    if (found) this.choose(found.id);
  }

  back(): boolean {
    return false;
  }

  view(frame: Frame): TemplateResult {
    const suggested = frame.suggested ? classIds(frame.suggested, this.question.classes) : [];
    return answerButtons({
      classes: this.question.classes,
      keys: this.keys,
      several: !frame.direct,
      submit: frame.alone && !frame.direct,
      inForm: !frame.alone,
      title: this.question.title || "Answer",
      chosen: this.chosen,
      suggested,
      probability: frame.probability,
      filter: this.filter,
      onFilter: (text) => {
        this.filter = text;
        this.host.changed();
      },
      onChoice: (choice) => this.onChoice(choice),
    });
  }

  /** Enter in the field that finds classes: the first one that has what was typed. */
  first(): void {
    const wanted = this.filter.trim().toLowerCase();
    const found = wanted && this.question.classes.find((each) => each.name.toLowerCase().includes(wanted));
    if (found) this.choose(found.id);
  }

  private onChoice(choice: Choice): void {
    if (choice.kind === "submit") this.host.submit();
    else this.choose(choice.id);
  }

  private choose(id: number): void {
    this.filter = "";
    const taken = this.chosen.delete(id);
    if (this.several) {
      if (!taken) this.chosen.add(id);
      this.host.changed();
      return;
    }
    this.chosen.clear();
    if (!taken || this.question.required) this.chosen.add(id);
    if (this.chosen.size) this.host.given();
    else this.host.changed();
  }
}
