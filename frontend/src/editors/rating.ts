// Rating: its levels as buttons with keys while they are few, else a slider beside a field for the number.
import { html, nothing, type TemplateResult } from "lit";
import { ifDefined } from "lit/directives/if-defined.js";
import type { Frame, Part, PartHost, QuestionView, Value } from "./part";

const MOST_BUTTONS = 10;
const DIGITS = "1234567890";

export class RatingPart implements Part {
  private number: number | null = null;
  private fault = "";

  constructor(
    public question: QuestionView,
    private readonly host: PartHost,
  ) {}

  get value(): Value | null {
    return this.number === null ? null : { value: this.number };
  }

  get begun(): Value | null {
    return this.value;
  }

  get words(): string {
    return this.number === null ? "" : String(this.number);
  }

  /** The levels as numbers, where they are few enough to be buttons; else none. */
  get buttons(): number[] {
    const levels = this.levels;
    return levels.length <= MOST_BUTTONS ? levels : [];
  }

  /** Levels of one digit each have their own as key, others the digits in order. */
  get keys(): string[] {
    const { buttons } = this;
    const own = buttons.every((level) => Number.isInteger(level) && level >= 0 && level <= 9);
    return buttons.map((level, place) => (own ? String(level) : (DIGITS[place] ?? "")));
  }

  begin(): void {
    this.number = null;
    this.fault = "";
  }

  take(value: Value): boolean {
    const number = typeof value.value === "number" ? value.value : null;
    this.number = number;
    return number !== null;
  }

  renew(question: QuestionView): void {
    this.question = question;
  }

  pick(index: number): void {
    const level = this.buttons[index];
    if (level !== undefined) this.choose(level);
  }

  back(): boolean {
    const had = this.number !== null;
    this.begin();
    return had;
  }

  view(frame: Frame): TemplateResult {
    const { buttons } = this;
    return buttons.length ? this.scale(frame, buttons) : this.slider(frame);
  }

  private get levels(): number[] {
    return this.question.classes.map(({ name }) => Number(name));
  }

  private choose(level: number): void {
    const taken = this.number === level && !this.question.required;
    this.number = taken ? null : level;
    this.fault = "";
    if (taken) this.host.changed();
    else this.host.given();
  }

  private scale(frame: Frame, buttons: number[]): TemplateResult {
    const suggested = frame.suggested?.value;
    const { keys } = this;
    return html`<div class="answer-buttons scale" role="group" aria-label=${this.question.title || "Rating"}>
      ${buttons.map((level, place) => {
        const marked = level === suggested;
        return html`<button type="button" class=${marked ? "class-button suggested" : "class-button"} aria-pressed=${ifDefined(frame.direct ? undefined : String(this.number === level))}
          tabindex=${ifDefined(frame.alone ? undefined : "-1")} @click=${(event: MouseEvent) => {
            if (event.detail > 0) (event.currentTarget as HTMLElement).blur();
            this.choose(level);
          }}><span>${level}</span>${marked && frame.probability !== null ? html`<small class="share">${Math.round(100 * frame.probability)} %</small>` : nothing}
          ${keys[place] && keys[place] !== String(level) ? html`<kbd>${keys[place]}</kbd>` : nothing}</button>`;
      })}</div>
      ${this.submit(frame)}`;
  }

  /** A slider says nothing before it is touched: until then there is no number, and no answer. */
  private slider(frame: Frame): TemplateResult {
    const { minimum = 0, maximum = 1, step } = this.question.options;
    const title = this.question.title || "Rating";
    const suggested = frame.suggested?.value as number | undefined;
    const moved = (event: Event): void => this.read((event.target as HTMLInputElement).value);
    return html`<div class="slider"><span class="quiet">${minimum}</span>
      <input type="range" data-focus min=${minimum} max=${maximum} step=${step ?? "any"} aria-label=${title} class=${this.number === null ? "untouched" : ""}
        aria-valuetext=${this.number === null ? "not answered" : String(this.number)} .value=${String(this.number ?? suggested ?? (minimum + maximum) / 2)}
        @input=${moved} @keydown=${(event: KeyboardEvent) => this.touch(event)} @click=${moved}>
      <span class="quiet">${maximum}</span>
      <input type="number" data-focus class="exact" min=${minimum} max=${maximum} step=${step ?? "any"} aria-label="${title}, the number" tabindex=${ifDefined(frame.alone ? undefined : "-1")}
        .value=${this.number === null ? "" : String(this.number)} placeholder="–" @input=${moved}></div>
      ${suggested === undefined ? nothing : html`<p class="quiet suggestion">Suggested: ${suggested}${frame.probability === null ? "" : ` (${Math.round(100 * frame.probability)} %)`} <kbd>A</kbd></p>`}
      ${this.fault ? html`<p class="wrong" role="alert">${this.fault}</p>` : nothing}${this.submit(frame)}`;
  }

  private submit(frame: Frame): TemplateResult | typeof nothing {
    if (!frame.alone || frame.direct) return nothing;
    return html`<button type="button" class="submit" ?disabled=${this.number === null} @click=${() => this.host.submit()}>Submit <kbd>Enter</kbd></button>`;
  }

  /** An arrow key where the slider stands already at its end is an answer too. */
  private touch(event: KeyboardEvent): void {
    if (this.number === null && /^(Arrow|Home|End|Page)/.test(event.key))
      queueMicrotask(() => this.read((event.target as HTMLInputElement).value));
  }

  private read(text: string): void {
    const { minimum = 0, maximum = 1, step } = this.question.options;
    const number = Number(text);
    const between = step != null && Math.abs((number - minimum) / step - Math.round((number - minimum) / step)) > 1e-6;
    const wrong = text.trim() === "" || Number.isNaN(number) || number < minimum || number > maximum || between;
    this.number = wrong ? null : number;
    const steps = step == null ? "" : ` by ${step}`;
    this.fault = wrong && text.trim() !== "" ? `A number from ${minimum} to ${maximum}${steps}.` : "";
    this.host.changed();
  }
}
