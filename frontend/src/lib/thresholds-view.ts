// From which probability on a prediction can be relied upon: each class with its precision-recall and ROC curves.
import { html, nothing, type TemplateResult } from "lit";
import type { ClassRef } from "./balance";
import { curveChart, type Estimate, type Point } from "./charts";
import { count, percent, swatch } from "./figures";
import { estimated, type Found, inSentence, type Ranked } from "./rounds";
import { stacked } from "./stacked";

interface Means {
  macro_average_precision?: Estimate | null;
  macro_roc_auc?: Estimate | null;
}

const SIDE = 380; // pixels of a drawing
const HEIGHT = 240;
const LIKELY = 0.05; // probabilities of judged items from which on a round keeps them

export function thresholds(
  rows: Ranked[],
  means: Means,
  name: (id: number) => ClassRef,
  judged: ((which: string) => string | null) | null, // null: the round kept no probabilities
  found: Found,
): TemplateResult | typeof nothing {
  if (!means.macro_average_precision) return nothing; // rounds of an earlier release, or one class alone
  const all = means.macro_average_precision.n;
  const shown = rows.filter((each) => each.average_precision);
  return html`<section class="card" aria-labelledby="thresholds"><h2 id="thresholds">From which probability on?</h2>
    <p>If all items above a probability are taken for a class: how much of it is found, and how much of what is taken is right.</p>
    <p class="quiet">Over all of them, average precision ${inSentence(means.macro_average_precision)}, area under the ROC curve ${inSentence(means.macro_roc_auc)}.</p>
    ${shown.map((each) => {
      const { name: words, color } = name(each.class_id);
      const says = html`${swatch(color)} <span class="long">${words}</span>: average precision ${inSentence(each.average_precision)}, ROC area ${inSentence(each.roc_auc)}`;
      const items = (from: number): string | null => {
        const filter = from < LIKELY ? null : (judged?.(`:from:${each.class_id}:${from}`) ?? null);
        return filter && found(filter);
      };
      return each.thresholds
        ? html`<details class="values"><summary>${says}</summary>${drawn(words, each, all, items)}</details>`
        : html`<p>${says}</p>`;
    })}</section>`;
}

function drawn(name: string, ranked: Ranked, all: number, items: (from: number) => string | null): TemplateResult {
  const rows = stepsOf(ranked);
  const share = (value: number): string => percent(value);
  const options = { width: SIDE, height: HEIGHT, xMax: 1, yMin: 0, xWords: share, nameless: true, valueless: true };
  const right: Point[] = rows.map((each) => ({ x: each.found.value, y: each.right.value, ...ends(each.right) }));
  const alarmed: Point[] = rows.map((each) => ({ x: each.alarms, y: each.found.value, ...ends(each.found) }));
  const chance: Point[] = [
    { x: 0, y: 0 },
    { x: 1, y: 1 },
  ];
  const own = ranked.average_precision?.n ?? 0;
  return html`<p class="quiet">Found is of the ${count(own)} answered with it, right of those that are taken, false alarms of the ${count(all - own)} others.</p>
    <div class="curves">
      <div><h3>Right, by what is found</h3>${curveChart([{ name: "right", style: "chosen", points: right }], {
        ...options,
        label: `${name}: share that is right, by the share that is found`,
        xLabel: "found",
      })}</div>
      <div><h3>Found, by false alarms</h3>${curveChart(
        [
          { name: "by chance", style: "random", points: chance },
          { name: "found", style: "chosen", points: [{ x: 0, y: 0 }, ...alarmed] },
        ],
        { ...options, label: `${name}: share that is found, by the share of false alarms`, xLabel: "false alarms" },
      )}</div></div>
    <div class="scroll" tabindex="0" role="region" aria-label="Thresholds of ${name}, table"><table ${stacked()}>
      <thead><tr><th scope="col" class="number">From probability</th><th scope="col">Found (recall)</th>
        <th scope="col">Right (precision)</th><th scope="col" class="number">False alarms</th></tr></thead>
      <tbody>${rows.map(
        ({ from, found, right, alarms }) =>
          html`<tr><th scope="row" class="number">${reached(from, items(from))}</th><td>${shareOf(found)}</td>
          <td><span>${shareOf(right)}${right.n === undefined ? nothing : html` <small>of ${count(right.n)}</small>`}</span></td><td class="number">${percent(alarms, 1)}</td></tr>`,
      )}</tbody></table></div>`;
}

type Share = Pick<Estimate, "value"> & Partial<Estimate>; // rounds of earlier releases kept the values alone

interface Step {
  from: number;
  found: Share;
  right: Share;
  alarms: number;
}

const stepsOf = ({ thresholds, bounds }: Ranked): Step[] =>
  (thresholds ?? []).map(([from, found, alarms, right], at) => {
    const row = bounds?.[at];
    if (!row) return { from, alarms, found: { value: found }, right: { value: right } };
    const [n, foundLow, foundHigh, rightLow, rightHigh] = row;
    const both = { found: { value: found, low: foundLow, high: foundHigh } };
    return { from, alarms, ...both, right: { value: right, low: rightLow, high: rightHigh, n } };
  });

/** The ends of a band, as a place on a curve has them; none of earlier releases. */
const ends = ({ low, high }: Share): Partial<Pick<Point, "low" | "high">> =>
  low === undefined || high === undefined ? {} : { low, high };

const shareOf = ({ value, low, high }: Share): TemplateResult | string =>
  low === undefined || high === undefined ? percent(value, 1) : estimated({ value, low, high, n: 0 });

/** A threshold, as a link to the items that reach it. */
function reached(from: number, href: string | null): TemplateResult | string {
  return href ? html`<a href=${href} title="The items that are taken then">${from.toFixed(2)}</a>` : from.toFixed(2);
}
