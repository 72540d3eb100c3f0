// Charts as SVG by lit over d3's scales and shapes. Each one is a figure with a sentence for a screen reader and
// its data table underneath. Colours and line styles come from the stylesheet, by class.
import { extent, max } from "d3-array";
import { type ScaleLinear, scaleLinear } from "d3-scale";
import { area, line } from "d3-shape";
import { html, nothing, svg, type TemplateResult } from "lit";
import { chosen, count, fromTo, isWide, percent } from "./figures";

export interface Estimate {
  value: number;
  low: number;
  high: number;
  n: number;
}

/** One place on a curve; `low` and `high` are the ends of the 95 % band where the value was sampled. */
export interface Point {
  x: number;
  y: number;
  low?: number;
  high?: number;
}

/** One curve; `style` names its look in the stylesheet: "chosen", "random" or "audit". */
export interface Series {
  name: string;
  style: string;
  points: Point[];
}

export interface CurveOptions {
  label: string;
  xLabel: string;
  width: number;
  height?: number;
  goal?: number | null;
  xMax?: number;
  xWords?: (value: number) => string; // how a place on that axis is said, where it is no whole number
  yMin?: number; // where the axis begins; by the values unless told
  aside?: number; // pixels at the right in which the names stand beside the ends; inside the chart unless told
  nameless?: boolean; // the names stand somewhere else
  valueless?: boolean; // and so does the table
}

const MARGIN = { top: 28, right: 16, bottom: 40, left: 48 };
const LABEL_GAP = 16;
const LONE = 5; // half the width of the band of a single point
const LETTER = 7.5; // pixels of a letter of a name, about

interface Axes {
  x: ScaleLinear<number, number>;
  y: ScaleLinear<number, number>;
  width: number;
  height: number;
  right: number; // free pixels behind the last column
  beside: boolean; // names stand there
}

/** Curves of shares between 0 and 1 against a count, with bands, direct labels, and the values as a table. */
export function curveChart(series: Series[], options: CurveOptions): TemplateResult {
  const drawn = series.filter((each) => each.points.length > 0);
  const axes = axesOf(drawn, options);
  return html`<figure class="chart">
    <svg viewBox="0 0 ${axes.width} ${axes.height}" role="img" aria-label=${spoken(drawn, options)}>
      ${grid(axes, options)} ${goalLine(axes, options)} ${drawn.map((each) => band(each, axes))}
      ${drawn.map((each) => curve(each, axes, options.xWords ?? count))} ${options.nameless ? nothing : endLabels(drawn, axes)}
    </svg>
    ${options.valueless ? nothing : dataTable(drawn, options)}
  </figure>`;
}

function axesOf(series: Series[], options: CurveOptions): Axes {
  const points = series.flatMap((each) => each.points);
  const last = Math.max(options.xMax ?? 0, max(points, (point) => point.x) ?? 1, options.xWords ? 0.001 : 1);
  const least = points.length ? Math.min(...points.map((point) => point.low ?? point.y), options.goal ?? 1, 0.9) : 0;
  const lowest = options.yMin ?? least;
  const height = options.height ?? 280;
  const right = MARGIN.right + (options.aside ?? 0);
  return {
    right,
    beside: options.aside !== undefined,
    x: scaleLinear([0, last], [MARGIN.left, options.width - right]),
    y: scaleLinear([Math.max(0, Math.floor(lowest * 10) / 10), 1], [height - MARGIN.bottom, MARGIN.top]),
    width: options.width,
    height,
  };
}

function grid({ x, y, width, height, right }: Axes, options: CurveOptions): TemplateResult {
  const bottom = height - MARGIN.bottom;
  const words = options.xWords ?? count;
  const ticks = x.ticks(Math.max(3, Math.min(8, Math.floor(width / 90))));
  const columns = options.xWords ? ticks : ticks.filter(Number.isInteger);
  return svg`<g class="grid" aria-hidden="true">
    ${y.ticks(5).map(
      (value) => svg`<line x1=${MARGIN.left} x2=${width - right} y1=${y(value)} y2=${y(value)}></line>
      <text x=${MARGIN.left - 8} y=${y(value)} dy="0.32em" text-anchor="end">${percent(value)}</text>`,
    )}
    ${columns.map((value) => svg`<text x=${x(value)} y=${bottom + 18} text-anchor="middle">${words(value)}</text>`)}
    <text x=${width - right} y=${height - 4} text-anchor="end">${options.xLabel}</text>
  </g>` as TemplateResult;
}

function goalLine({ x, y, width, right }: Axes, options: CurveOptions): TemplateResult | typeof nothing {
  if (options.goal == null) return nothing;
  const at = y(options.goal);
  return svg`<g class="goal" aria-hidden="true">
    <line x1=${x(0)} x2=${width - right} y1=${at} y2=${at}></line>
    <text x=${x(0) + 4} y=${at - 5}>goal ${chosen(options.goal)}</text></g>` as TemplateResult;
}

function band(series: Series, { x, y }: Axes): TemplateResult {
  const [only, more] = series.points;
  if (only && !more) {
    const [top, bottom] = [y(only.high ?? only.y), y(only.low ?? only.y)];
    const shape = `M${x(only.x) - LONE},${top}h${2 * LONE}V${bottom}h${-2 * LONE}Z`;
    return svg`<path class="band ${series.style}" d=${shape}></path>` as TemplateResult;
  }
  const shape = area<Point>(
    (point) => x(point.x),
    (point) => y(point.low ?? point.y),
    (point) => y(point.high ?? point.y),
  );
  return svg`<path class="band ${series.style}" d=${shape(series.points) ?? ""}></path>` as TemplateResult;
}

function curve(series: Series, { x, y }: Axes, words: (value: number) => string): TemplateResult {
  const path = line<Point>(
    (point) => x(point.x),
    (point) => y(point.y),
  );
  const dots = series.points.length <= 30 ? series.points : series.points.slice(-1);
  return svg`<g class="curve ${series.style}"><path d=${path(series.points) ?? ""}></path>
    ${dots.map(
      (point) => svg`<circle cx=${x(point.x)} cy=${y(point.y)} r="2.5">
      <title>${series.name}: ${percent(point.y, 1)} at ${words(point.x)}</title></circle>`,
    )}</g>` as TemplateResult;
}

/** Names at the ends of the curves instead of a legend, moved apart where they would touch. */
function endLabels(series: Series[], { x, y, width, beside }: Axes): TemplateResult[] {
  const ends = series
    .map((each) => ({ each, end: each.points[each.points.length - 1] as Point }))
    .sort((one, other) => other.end.y - one.end.y);
  let above = Number.NEGATIVE_INFINITY;
  return ends.map(({ each, end }, place) => {
    // The best curve is named above its end, the others below theirs.
    const wanted = y(end.y) + (beside ? 4 : place === 0 && ends.length > 1 ? -10 : 20);
    const at = Math.max(wanted, above + LABEL_GAP, MARGIN.top - 10);
    above = at;
    const words = isWide(end.low, end.high) ? each.name : `${each.name} ${percent(end.y)}`;
    if (beside)
      return svg`<text class="name ${each.style}" aria-hidden="true" x=${x(end.x) + 8} y=${at}>${words}</text>` as TemplateResult;
    // It ends where its curve ends, unless it would then begin left of the chart.
    const right = Math.min(Math.max(x(end.x) + 4, MARGIN.left + LETTER * words.length), width - 4);
    return svg`<text class="name ${each.style}" aria-hidden="true" x=${right} y=${at} text-anchor="end">${words}</text>` as TemplateResult;
  });
}

function spoken(series: Series[], options: CurveOptions): string {
  const ends = series.map((each) => {
    const end = each.points[each.points.length - 1] as Point;
    return `${each.name} ends at ${percent(end.y, 1)} with ${(options.xWords ?? count)(end.x)} ${options.xLabel}`;
  });
  return `${options.label}: ${ends.join("; ") || "no values yet"}`;
}

function dataTable(series: Series[], options: CurveOptions): TemplateResult {
  const columns = [...new Set(series.flatMap((each) => each.points.map((point) => point.x)))].sort((a, b) => a - b);
  return html`<details class="values">
    <summary>The values as a table</summary>
    <div class="scroll" tabindex="0" role="region" aria-label="Values of: ${options.label}">
      <table>
        <thead>
          <tr><th scope="col">${options.xLabel}</th>${series.map((each) => html`<th scope="col">${each.name}</th>`)}</tr>
        </thead>
        <tbody>
          ${columns.map(
            (at) => html`<tr><th scope="row">${(options.xWords ?? count)(at)}</th>
              ${series.map((each) => html`<td>${written(each.points.find((point) => point.x === at))}</td>`)}</tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

function written(point: Point | undefined): string {
  if (!point) return "–";
  const range = point.low === undefined ? "" : ` (${fromTo(point.low, point.high ?? point.y)})`;
  return `${percent(point.y, 1)}${range}`;
}

/** A line the size of a word; `values` are shares. Nothing under two values. */
export function sparkline(values: number[], label: string): TemplateResult | typeof nothing {
  if (values.length < 2) return nothing;
  const [lowest = 0, highest = 1] = extent(values);
  const x = scaleLinear([0, values.length - 1], [2, 98]);
  const y = scaleLinear([Math.min(lowest, highest - 0.05), highest], [26, 4]);
  const path = line<number>(
    (_value, place) => x(place),
    (value) => y(value),
  );
  const end = values[values.length - 1] as number;
  return html`<svg class="sparkline" viewBox="0 0 100 30" role="img" aria-label=${label}>
    <path d=${path(values) ?? ""}></path><circle cx=${x(values.length - 1)} cy=${y(end)} r="2.5"></circle></svg>`;
}

/** Answers a day as columns, each with its number and leading to its items by `found`; under each its day. */
export function dayColumns(days: { day: string; answers: number }[], found: (day: string) => string): TemplateResult {
  const highest = Math.max(1, max(days, (each) => each.answers) ?? 1);
  const y = scaleLinear([0, highest], [0, 34]);
  const step = 100 / Math.max(1, days.length);
  return html`<svg class="days" viewBox="0 0 100 62" role="group" aria-label="Answers a day">
    ${days.map(
      (
        each,
        place,
      ) => svg`<a href=${each.answers ? found(each.day) : nothing} aria-label=${each.answers ? `${count(each.answers)} ${each.day.slice(8)}: answers on ${each.day}` : nothing}><rect x=${place * step + step * 0.15} width=${step * 0.7} y=${46 - y(each.answers)}
        height=${Math.max(y(each.answers), 0.75)}></rect>
        <text x=${place * step + step / 2} y=${42 - y(each.answers)} text-anchor="middle">${count(each.answers)}</text>
        <text x=${place * step + step / 2} y="58" text-anchor="middle">${each.day.slice(8)}</text></a>`,
    )}
  </svg>`;
}
