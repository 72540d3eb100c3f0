// Comparison: the candidates side by side; the best is picked first, by its key or by a tap, then the next one.
import { html, nothing, type TemplateResult } from "lit";
import { ifDefined } from "lit/directives/if-defined.js";
import type { ItemView } from "../lib/serving";
import type { Frame, Part, PartHost, QuestionView, Value } from "./part";

const KEYS = "1234567890";

export class ComparisonPart implements Part {
  private candidates: string[] = [];
  private ranking: number[] = []; // the candidates picked so far, the best one first

  constructor(
    public question: QuestionView,
    private readonly host: PartHost,
  ) {}

  get value(): Value | null {
    return this.candidates.length > 1 && this.ranking.length === this.candidates.length
      ? { ranking: [...this.ranking] }
      : null;
  }

  get begun(): Value | null {
    return this.ranking.length ? { ranking: [...this.ranking] } : null;
  }

  get words(): string {
    return this.ranking.map((candidate) => candidate + 1).join(" > ");
  }

  get keys(): string[] {
    return this.candidates.map((_text, place) => KEYS[place] ?? "");
  }

  begin(item: ItemView): void {
    this.candidates = item.candidates ?? [];
    this.ranking = [];
  }

  take(value: Value): boolean {
    const ranking = value.ranking as number[] | undefined;
    if (!ranking?.length || ranking.some((candidate) => candidate >= this.candidates.length)) return false;
    this.ranking = [...ranking];
    return true;
  }

  renew(question: QuestionView): void {
    this.question = question;
  }

  /** Give a candidate the next place; the last one that is left takes the last place. */
  pick(candidate: number): void {
    if (candidate >= this.candidates.length) return;
    if (this.ranking.includes(candidate)) {
      this.ranking = this.ranking.filter((each) => each !== candidate);
      this.host.changed();
      return;
    }
    this.ranking.push(candidate);
    const left = this.candidates.map((_text, place) => place).filter((place) => !this.ranking.includes(place));
    if (left.length === 1) this.ranking.push(...left);
    if (this.value) this.host.given();
    else this.host.changed();
  }

  back(): boolean {
    if (this.ranking.length === this.candidates.length) this.ranking.pop(); // the last one came by itself
    return this.ranking.pop() !== undefined;
  }

  view(frame: Frame): TemplateResult {
    const next = this.ranking.length + 1;
    const said = this.value ? "In order." : next === 1 ? "Pick the best one first." : `Pick place ${next}.`;
    return html`<div class="candidates" role="group" aria-label=${this.question.title || "Candidates"}>
      ${this.candidates.map((text, place) => this.candidate(text, place, frame))}</div>
      <p class="ranked"><span role="status">${said}</span> ${this.ranking.length ? html`<button type="button" class="quiet-button" tabindex=${ifDefined(frame.alone ? undefined : "-1")} @click=${() => this.undo()}>Take the last one back <kbd>Backspace</kbd></button>` : nothing}</p>
      ${frame.alone ? html`<button type="button" class="submit" ?disabled=${!this.value} @click=${() => this.host.submit()}>Submit <kbd>Enter</kbd></button>` : nothing}`;
  }

  private undo(): void {
    if (this.back()) this.host.changed();
  }

  private candidate(text: string, place: number, frame: Frame): TemplateResult {
    const rank = this.ranking.indexOf(place) + 1;
    return html`<div class=${rank ? "candidate ranked" : "candidate"}>
      <button type="button" class="class-button" aria-pressed=${String(rank > 0)} tabindex=${ifDefined(frame.alone ? undefined : "-1")}
        @click=${(event: MouseEvent) => {
          if (event.detail > 0) (event.currentTarget as HTMLElement).blur();
          this.pick(place);
        }}><span>Candidate ${place + 1}${rank ? html`, <strong class="rank">place ${rank}</strong>` : nothing}</span><kbd>${this.keys[place]}</kbd></button>
      <p class="candidate-text" dir="auto" tabindex=${ifDefined(frame.alone ? "0" : undefined)}>${text}</p></div>`;
  }
}
