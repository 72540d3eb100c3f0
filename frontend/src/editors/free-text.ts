// Free text: a field that grows with what is written. Enter submits, Shift and Enter begin a new line.
import { html, type TemplateResult } from "lit";
import type { Frame, Part, PartHost, QuestionView, Value } from "./part";

const MOST_ROWS = 8;
const LETTERS_A_ROW = 70;
const LIMIT = 1_000_000;

export class FreeTextPart implements Part {
  readonly keys: string[] = [];
  private text = "";

  constructor(
    public question: QuestionView,
    private readonly host: PartHost,
  ) {}

  get value(): Value | null {
    const text = this.text.trim();
    return text ? { text } : null;
  }

  get begun(): Value | null {
    return this.text ? { text: this.text } : null;
  }

  get words(): string {
    const letters = [...this.text.trim()];
    return letters.length > 60 ? `${letters.slice(0, 60).join("")} …` : letters.join("");
  }

  begin(): void {
    this.text = "";
  }

  take(value: Value): boolean {
    this.text = typeof value.text === "string" ? value.text : "";
    return this.text !== "";
  }

  renew(question: QuestionView): void {
    this.question = question;
  }

  pick(): void {}

  back(): boolean {
    return false;
  }

  view(frame: Frame): TemplateResult {
    const rows = this.text.split("\n").reduce((sum, line) => sum + 1 + Math.floor(line.length / LETTERS_A_ROW), 0);
    const typed = (event: Event): void => {
      this.text = (event.target as HTMLTextAreaElement).value;
      this.host.changed();
    };
    return html`<textarea class="free-text" data-focus rows=${Math.min(MOST_ROWS, Math.max(frame.alone ? 3 : 2, rows))} maxlength=${LIMIT} dir="auto"
        aria-label=${this.question.title || "Your text"} placeholder=${frame.alone ? "Write here: Enter submits, Shift and Enter begin a new line, Esc leaves the field" : ""}
        .value=${this.text} @input=${typed}></textarea>
      ${frame.alone ? html`<button type="button" class="submit" ?disabled=${!this.value} @click=${() => this.host.submit()}>Submit <kbd>Enter</kbd></button>` : ""}`;
  }
}
