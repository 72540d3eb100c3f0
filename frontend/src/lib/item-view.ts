// The item on the card: a text, a picture or a row of a table.
import { html, type TemplateResult } from "lit";
import type { ItemView, Picture } from "./serving";

const SMALL = 128; // pixels: smaller pictures are drawn pixelated, not blurred

export function itemView(item: ItemView): TemplateResult {
  if (item.image) return picture(item.image);
  if (item.row) return table(item.row);
  return html`<p class="item-text" dir="auto">${item.text ?? ""}</p>`;
}

function picture(image: Picture): TemplateResult {
  const small = Math.max(image.width ?? 0, image.height ?? 0) < SMALL;
  return html`<img class=${small ? "item-image pixelated" : "item-image"} src=${image.url} alt=${image.name ?? "The item"}
    @error=${(event: Event) => (event.target as HTMLElement).replaceWith("This picture cannot be shown.")}>`;
}

function table(row: Record<string, unknown>): TemplateResult {
  return html`<div class="item-table"><table><tbody>
    ${Object.entries(row).map(([name, value]) => html`<tr><th scope="row">${name}</th><td dir="auto">${cell(value)}</td></tr>`)}
  </tbody></table></div>`;
}

const cell = (value: unknown): string => (value === null || value === "" ? "–" : String(value));
