// How numbers are said, and the two smallest drawings: a square in a class's colour and a bar. Colours are attributes
// of the shapes, which the strict style policy allows.
import { html, nothing, svg, type TemplateResult } from "lit";

const SPECK = 1e-5; // of a unit of the last place, much more than floats err

export const percent = (share: number, digits = 0): string => `${(100 * share).toFixed(digits)} %`;
/** A share that people chose, with up to four figures, as the service's words say it: 95.5 %. */
export const chosen = (share: number): string => `${Number((100 * share).toPrecision(4))} %`;
/** The ends of a band, rounded outward at one decimal, as the service's words say them: 57.6 to 75.3 %. */
export const fromTo = (low: number, high: number): string =>
  `${Math.floor(1000 * low + SPECK) / 10} to ${Math.ceil(1000 * high - SPECK) / 10} %`;
export const count = (n: number): string => n.toLocaleString("en-GB");

export const WIDE = 0.2; // a band wider than this is said in words, never as one number
export const isWide = (low: number | undefined, high: number | undefined): boolean => (high ?? 0) - (low ?? 0) > WIDE;

export const swatch = (color: string): TemplateResult =>
  html`<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" rx="2" fill=${color}></rect></svg>`;

/** A share of `largest` as a bar, with its band as a thin line over it. */
export function bar(
  share: number,
  largest: number,
  color: string,
  band?: { low: number; high: number },
): TemplateResult {
  const at = (value: number): number => (100 * value) / largest;
  return html`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
    <rect class="track" width="100" height="10"></rect>
    <rect width=${at(share)} height="10" fill=${color}></rect>
    ${band ? svg`<line class="band" x1=${at(band.low)} x2=${at(band.high)} y1="5" y2="5"></line>` : nothing}
  </svg>`;
}
