// Charts as SVG by lit over d3's scales and shapes. Each one is a figure with a sentence for a screen reader and
// its data table underneath. Colours and line styles come from the stylesheet, by class.
import { extent, max } from "d3-array";
import { type ScaleLinear, scaleLinear } from "d3-scale";
import { area, line } from "d3-shape";
import { html, nothing, svg, type TemplateResult } from "lit";
import { chosen, count, fromTo, isWide, percent } from "./figures";
import { along, type Box, boxOf, place, type Spot, within } from "./placing";

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
const STEPS = [0, 1, 2, 3]; // how far a name may be moved from its curve's end, in gaps

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
      ${grid(axes, options)} ${drawn.map((each) => band(each, axes))}
      ${drawn.map((each) => curve(each, axes, options.xWords ?? count))} ${lettering(drawn, axes, options)}
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

/** The goal with its line, and the names of the curves: each where it covers nothing that is written. */
function lettering(series: Series[], axes: Axes, options: CurveOptions): TemplateResult[] {
  const drawn = series.flatMap(({ points }) => along(points.map((each) => [axes.x(each.x), axes.y(each.y)])));
  const written: Box[] = [];
  const goal = options.goal == null ? [] : [goalLine(options.goal, axes, written, drawn)];
  if (options.nameless) return goal;
  return [...goal, ...(axes.beside ? namesBeside(series, axes) : namesInside(series, axes, written, drawn))];
}

function goalLine(
  goal: number,
  { x, y, width, right }: Axes,
  written: Box[],
  drawn: [number, number][],
): TemplateResult {
  const [at, words] = [y(goal), `goal ${chosen(goal)}`];
  const spots = [at - 5, at + 15].flatMap((height): Spot[] => [
    { x: x(0) + 4, y: height, anchor: "start" },
    { x: width - right, y: height, anchor: "end" },
  ]);
  const spot = place(words, at - 5, spots, written, drawn);
  written.push(boxOf(words, spot));
  return svg`<g class="goal" aria-hidden="true">
    <line x1=${x(0)} x2=${width - right} y1=${at} y2=${at}></line>
    <text x=${spot.x} y=${spot.y} text-anchor=${spot.anchor}>${words}</text></g>` as TemplateResult;
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

const endOf = (series: Series): Point => series.points[series.points.length - 1] as Point;

const named = (series: Series, end: Point): string =>
  isWide(end.low, end.high) ? series.name : `${series.name} ${percent(end.y)}`;

const bestFirst = (series: Series[]): Series[] => [...series].sort((one, other) => endOf(other).y - endOf(one).y);

const name = ({ style }: Series, words: string, { x, y, anchor }: Spot): TemplateResult =>
  svg`<text class="name ${style}" aria-hidden="true" x=${x} y=${y} text-anchor=${anchor}>${words}</text>` as TemplateResult;

/** Names behind the ends of the curves instead of a legend, moved apart where they would touch. */
function namesBeside(series: Series[], { x, y }: Axes): TemplateResult[] {
  let above = Number.NEGATIVE_INFINITY;
  return bestFirst(series).map((each) => {
    const end = endOf(each);
    above = Math.max(y(end.y) + 4, above + LABEL_GAP, MARGIN.top - 10);
    return name(each, named(each, end), { x: x(end.x) + 8, y: above, anchor: "start" });
  });
}

/** Names above or below the ends of the curves, running to either side; of several the best curve's rather above. */
function namesInside(series: Series[], axes: Axes, written: Box[], drawn: [number, number][]): TemplateResult[] {
  const { x, y, width, height } = axes;
  return bestFirst(series).map((each, rank) => {
    const end = endOf(each);
    const words = named(each, end);
    const [up, down] = [y(end.y) - 10, y(end.y) + 20];
    const best = rank === 0 && series.length > 1;
    const heights = STEPS.flatMap((step) => {
      const pair = [up - step * LABEL_GAP, down + step * LABEL_GAP];
      return best ? pair : pair.reverse();
    }).filter((at) => at >= MARGIN.top - 10 && at <= height - MARGIN.bottom - 4);
    const spots = [...heights, Math.max(up, MARGIN.top - 10)].flatMap((at): Spot[] => [
      within(words, { x: x(end.x) + 4, y: at, anchor: "end" }, MARGIN.left, width - 4),
      within(words, { x: x(end.x) - 4, y: at, anchor: "start" }, MARGIN.left, width - 4),
    ]);
    const spot = place(words, best ? up : down, spots, written, drawn);
    written.push(boxOf(words, spot));
    return name(each, words, spot);
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
