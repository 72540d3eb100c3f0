// What a person must have read: it stays until it is dismissed, over reloads.
import { html, nothing, type TemplateResult } from "lit";
import { recall, remember } from "./remembered";

export class Notices {
  private texts: string[];

  constructor(
    private readonly place: string,
    private readonly changed: () => void,
    private readonly quiet = false, // good to know rather than gone wrong
  ) {
    this.texts = recall<string[]>(place, []);
  }

  add(text: string): void {
    this.texts = [...recall<string[]>(this.place, []), text]; // another tab may have added one
    this.keep();
  }

  view(): TemplateResult | typeof nothing {
    if (!this.texts.length) return nothing;
    const texts = this.texts.map(
      (text, place) =>
        html`<li class="long">${text} <button type="button" class="link" @click=${() => this.dismiss(place)}>Dismiss</button></li>`,
    );
    return html`<div role=${this.quiet ? "log" : "alert"}><ul class=${this.quiet ? "notices quiet" : "notices"}>${texts}</ul></div>`;
  }

  private dismiss(place: number): void {
    this.texts.splice(place, 1);
    this.keep();
  }

  private keep(): void {
    remember(this.place, this.texts);
    this.changed();
  }
}
