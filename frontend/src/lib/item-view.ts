// The item on the card: a text, a picture, a sound, a video or a row of a table.
import "./audio-stage";
import "./image-stage";
import { html, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { time } from "./player";
import { habits } from "./remembered";
import type { Clip, Film, ItemView, Picture } from "./serving";

/** Keyed by its file: the elements that show one read where it lies once. */
export function itemView(item: ItemView): TemplateResult {
  if (item.image) return html`${keyed(item.image.url, picture(item.image))}`;
  if (item.audio) return html`${keyed(item.audio.url, sound(item.audio))}`;
  if (item.video) return html`${keyed(item.video.url, film(item.video))}`;
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

function film(clip: Film): TemplateResult {
  void import("./video-stage"); // pages of texts do not load it
  return html`<video-stage src=${clip.url} label=${clip.name ?? "The item"} width=${clip.width ?? 0} height=${clip.height ?? 0}
    seconds=${clip.seconds ?? 0} fps=${clip.frames_per_second ?? 0} ?autoplay=${habits().play}></video-stage>`;
}

/** What stands for an item in lists: its picture, the waveform of its sound, or a picture of its video. */
export const pictureOf = (item: Pictured): Still | undefined =>
  item.image ?? item.audio ?? (item.video && { ...still(item.video), length: time(item.video.seconds ?? 0) });

export interface Pictured {
  image?: Picture;
  audio?: Clip;
  video?: Film;
}

/** A picture for lists; `length` where it stands for a video. */
export type Still = Picture & { length?: string };

/** A video's own size would make a small one be drawn as it is, and a video is no picture. */
const still = ({ media, url, name }: Film): Picture => ({ media, url, ...(name ? { name } : {}) });

const TINY = 64; // pixels: pictures up to this side are drawn as they are, in squares

/** A small picture, for lists. */
export function thumbnail(image: Still, name: string): TemplateResult {
  const tiny = Math.max(image.width ?? TINY + 1, image.height ?? 0) <= TINY;
  const source = tiny ? image.url : `${image.url}/thumbnail?side=96`;
  const picture = html`<img class=${tiny ? "pixelated" : ""} src=${source} alt=${name} width="56" height="56">`;
  return image.length ? html`<span class="still">${picture}<small>${image.length}</small></span>` : picture;
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
