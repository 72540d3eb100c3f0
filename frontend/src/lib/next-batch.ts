// The next batch: the items at the head of the order with the reasons in words, each leading to the item.
import { html, nothing, type TemplateResult } from "lit";
import { count } from "./figures";
import { pictureOf, thumbnail } from "./item-view";
import type { ItemView } from "./serving";

export interface Place extends ItemView {
  item: number;
  key: string;
  rank: number | null;
  score: number | null;
  words: string;
}

export interface Places {
  round: number | null;
  strategy: string | null;
  items: Place[];
  next: string | null;
}

const TEXT_SHOWN = 120;

/** The card; `found` gives the address of the items behind a filter, `left` counts the whole order. */
export function nextBatch(given: Places, left: number, found: (filter: string) => string): TemplateResult {
  const order =
    given.round === null
      ? html`No round has been published yet: items are asked at random.`
      : html`The head of round ${given.round}'s order (${given.strategy}), of ${count(left)} items left in it. Items of the audit share are drawn in between and are not listed.`;
  return html`<section class="card next-batch" aria-labelledby="next-batch"><h2 id="next-batch">Next batch</h2>
    <p class="quiet">${order}</p>
    ${given.items.length ? html`<ol>${given.items.map((each) => place(each, found))}</ol>` : given.round === null ? nothing : html`<p class="quiet">Nothing is left in it that nobody holds.</p>`}</section>`;
}

function place(each: Place, found: (filter: string) => string): TemplateResult {
  const picture = pictureOf(each);
  const score = each.score === null ? nothing : html` · score ${each.score.toFixed(3)}`;
  return html`<li>${picture ? thumbnail(picture, "") : nothing}
    <div><a class="long few-lines" href=${found(`key=${encodeURIComponent(each.key)}`)}>${writing(each)}</a>
    <p class="quiet">${each.words}${score}</p></div></li>`;
}

/** The item in a line: its text, its row, or its key. */
function writing(each: Place): string {
  const row = each.row && Object.values(each.row).join(", ");
  const text = each.text || row || each.key;
  const letters = [...text];
  return letters.length > TEXT_SHOWN ? `${letters.slice(0, TEXT_SHOWN).join("")} …` : text;
}
