// "Why this item?": the strategy's reason, what the model thinks, and the answered items that are most like it.
import { html, nothing, type TemplateResult } from "lit";
import { bar, percent } from "./figures";
import { call, message } from "./http";
import { pictureOf, thumbnail } from "./item-view";
import { labelWords } from "./label-words";
import type { ItemView, LabelView, LeaseView } from "./serving";

interface Answer {
  blind: boolean;
  classes: { class: string; color: string; probability: number }[];
  neighbours: (ItemView & { label: LabelView; similarity: number })[];
}

const TEXT_SHOWN = 160;

/** Asks for the reasons of the item on screen, once an item and only while somebody looks. */
export class Why {
  private lease = 0;
  private found: Answer | null = null;
  private fault = "";

  constructor(private readonly changed: () => void) {}

  view(lease: LeaseView | undefined): TemplateResult {
    if (lease && lease.id !== this.lease) void this.ask(lease.id);
    const reason = lease?.reason;
    if (!lease) return html`<p class="quiet">No item is on screen.</p>`;
    if (!reason?.words)
      return html`<p class="quiet">Some items are shown without a suggestion or a reason, so that your answer stays your own.</p>`;
    return html`<p>${reason.words[0]?.toUpperCase()}${reason.words.slice(1)}.</p>
      ${this.fault ? html`<p class="wrong">${this.fault}</p>` : nothing}
      ${this.found ? details(this.found) : this.fault ? nothing : html`<p class="quiet" aria-busy="true">Looking it up</p>`}
      <p class="quiet">Chosen by ${reason.strategy}${typeof reason.score === "number" ? `, score ${reason.score.toFixed(3)}` : ""}${typeof reason.rank === "number" ? `, place ${reason.rank + 1} in the order` : ""}.</p>`;
  }

  private async ask(lease: number): Promise<void> {
    this.lease = lease;
    this.found = null;
    this.fault = "";
    try {
      const found = await call<Answer>("GET", `/leases/${lease}/why`);
      if (this.lease === lease) this.found = found;
    } catch (error) {
      if (this.lease === lease) this.fault = message(error);
    }
    this.changed();
  }
}

function details({ classes, neighbours }: Answer): TemplateResult {
  return html`${classes.length ? html`<h3>The model thinks</h3><ul class="plain thinks">${classes.map((each) => html`<li><span class="long few-lines">${each.class}</span> ${percent(each.probability)} ${bar(each.probability, 1, each.color)}</li>`)}</ul>` : nothing}
    <h3>Answered items most like it</h3>
    ${neighbours.length ? html`<ul class="plain alike">${neighbours.map(neighbour)}</ul>` : html`<p class="quiet">None yet.</p>`}`;
}

function neighbour(each: Answer["neighbours"][number]): TemplateResult {
  const row = each.row
    ? Object.entries(each.row)
        .map(([name, value]) => `${name} ${value}`)
        .join(", ")
    : "";
  const text = [...(each.text || each.candidates?.join(" · ") || row)];
  const short = text.length > TEXT_SHOWN ? `${text.slice(0, TEXT_SHOWN).join("")} …` : text.join("");
  const picture = pictureOf(each);
  return html`<li class=${picture ? "pictured" : ""}>${picture ? thumbnail(picture, each.key) : html`<span class="long" dir="auto">${short}</span>`}
    <strong class="long few-lines">${labelWords(each.label)}</strong> <small class="quiet">${percent(each.similarity)} alike</small></li>`;
}
