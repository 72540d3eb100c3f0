// The item on the card: a text, a picture or a row of a table.
import "./audio-stage";
import "./image-stage";
import { html, type TemplateResult } from "lit";
import { habits } from "./remembered";
import type { Clip, ItemView, Picture } from "./serving";

export function itemView(item: ItemView): TemplateResult {
  if (item.image) return picture(item.image);
  if (item.audio) return sound(item.audio);
  if (item.row) return table(item.row);
  if (!item.text && item.candidates) return html`<p class="quiet">Put the candidates in order.</p>`;
  return html`<p class="item-text" dir="auto">${item.text ?? ""}</p>`;
}

function picture(image: Picture): TemplateResult {
  return html`<image-stage src=${image.url} label=${image.name ?? "The item"} width=${image.width ?? 0} height=${image.height ?? 0}></image-stage>`;
}

function sound(clip: Clip): TemplateResult {
  return html`<audio-stage src=${clip.url} seconds=${clip.seconds ?? 0} ?autoplay=${habits().play}></audio-stage>`;
}

/** What stands for an item in lists: its picture, or the waveform of its sound. */
export const pictureOf = (item: { image?: Picture; audio?: Clip }): Picture | undefined => item.image ?? item.audio;

const TINY = 64; // pixels: pictures up to this side are drawn as they are, in squares

/** A small picture, for lists. */
export function thumbnail(image: Picture, name: string): TemplateResult {
  const tiny = Math.max(image.width ?? TINY + 1, image.height ?? 0) <= TINY;
  const source = tiny ? image.url : `${image.url}/thumbnail?side=96`;
  return html`<img class=${tiny ? "pixelated" : ""} src=${source} alt=${name} width="56" height="56">`;
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
