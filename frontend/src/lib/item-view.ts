// The item on the card: a text, a picture or a row of a table.
import "./image-stage";
import { html, type TemplateResult } from "lit";
import type { ItemView, Picture } from "./serving";

export function itemView(item: ItemView): TemplateResult {
  if (item.image) return picture(item.image);
  if (item.row) return table(item.row);
  return html`<p class="item-text" dir="auto">${item.text ?? ""}</p>`;
}

function picture(image: Picture): TemplateResult {
  return html`<image-stage src=${image.url} label=${image.name ?? "The item"} width=${image.width ?? 0} height=${image.height ?? 0}></image-stage>`;
}

function table(row: Record<string, unknown>): TemplateResult {
  return html`<div class="item-table"><table><tbody>
    ${Object.entries(row).map(([name, value]) => html`<tr><th scope="row">${name}</th><td dir="auto">${cell(value)}</td></tr>`)}
  </tbody></table></div>`;
}

function cell(value: unknown): string {
  if (value === null || value === "") return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
