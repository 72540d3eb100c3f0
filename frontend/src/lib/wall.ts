// The wall: unlabelled items in piles by the class that the newest round's model gives them. It gets tidier round
// by round; within a pile the surest come first, so the odd ones out gather at the end.
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { count, percent, swatch } from "./figures";
import { pictureOf } from "./item-view";
import type { Wall, WallItem } from "./overview";

const TEXT_SHOWN = 80;
const PIXEL_ART_SIDE = 64; // pictures up to this side are drawn as squares, not blurred

/** All piles, in the order of the classes, each leading to its items; empty ones are named together at the end. */
export function wall(given: Wall, found: (filter: string) => string): TemplateResult {
  const filled = given.piles.filter((pile) => pile.items.length > 0);
  const empty = given.piles.filter((pile) => pile.items.length === 0);
  const total = filled.reduce((sum, pile) => sum + pile.items.length, 0);
  const pictures = filled.some((pile) => pile.items.some(pictureOf));
  return html`<section class="card wall" aria-labelledby="wall">
    <h2 id="wall">What the model sees</h2>
    <p class="quiet">${count(total)} unlabelled items, a fixed random sample, piled by the class that round ${given.round} predicts; faint ones are
      guesses. The piles get tidier round by round.</p>
    <div class="piles ${pictures ? "pictures" : "texts"}">
      ${repeat(
        filled,
        (pile) => pile.class.id,
        (pile) => html`<section class="pile" aria-label="Predicted ${pile.class.name}">
        <h3>${swatch(pile.class.color)} <a class="long few-lines" href=${found(`status=open&predicted.class=${encodeURIComponent(pile.class.name)}`)}>${pile.class.name}</a> <small>${count(pile.items.length)}${pile.total > pile.items.length ? ` of ${count(pile.total)}` : ""}</small></h3>
        <ul tabindex=${pictures ? nothing : "0"} aria-label=${pictures ? nothing : `Items of ${pile.class.name}`}>${repeat(
          [...pile.items].sort((one, other) => other.probability - one.probability),
          (item) => item.id,
          shown,
        )}</ul>
      </section>`,
      )}
    </div>
    ${empty.length ? html`<p class="quiet">Nothing is predicted as ${listed(empty.map((pile) => pile.class.name))}.</p>` : nothing}
  </section>`;
}

function listed(names: string[]): string {
  const shown = names.slice(0, 12);
  return names.length > shown.length ? `${shown.join(", ")} and ${names.length - shown.length} more` : shown.join(", ");
}

function shown(item: WallItem): TemplateResult {
  const sure = item.probability >= 0.8 ? "sure" : item.probability >= 0.5 ? "likely" : "guess";
  const said = `${item.key}: ${percent(item.probability)}`;
  return html`<li class=${sure} title=${said}>${picture(item, said) ?? writing(item)}</li>`;
}

function picture(item: WallItem, said: string): TemplateResult | undefined {
  const image = pictureOf(item);
  if (!image) return undefined;
  const small = Math.max(image.width ?? PIXEL_ART_SIDE + 1, image.height ?? 0) <= PIXEL_ART_SIDE;
  const source = small ? image.url : `${image.url}/thumbnail?side=96`;
  return html`<img class=${small ? "pixelated" : ""} src=${source} alt=${said} width="40" height="40" loading=${small ? "eager" : "lazy"}>`;
}

function writing(item: WallItem): TemplateResult {
  const row = item.row
    ? Object.entries(item.row)
        .slice(0, 4)
        .map(([column, value]) => `${column} ${value}`)
        .join(", ")
    : "";
  const text = item.text ?? row;
  return html`${text.length > TEXT_SHOWN ? `${[...text].slice(0, TEXT_SHOWN).join("")} …` : text} <small>${percent(item.probability)}</small>`;
}
