// From which probability on a prediction can be relied upon: each class with its precision-recall and ROC curves.
import { html, nothing, type TemplateResult } from "lit";
import type { ClassRef } from "./balance";
import { curveChart, type Estimate, type Point } from "./charts";
import { percent, swatch } from "./figures";
import { estimated, type Found, type Ranked, type Threshold } from "./rounds";
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
  const shown = rows.filter((each) => each.average_precision);
  return html`<section class="card" aria-labelledby="thresholds"><h2 id="thresholds">From which probability on?</h2>
    <p>If all items above a probability are taken for a class: how much of it is found, and how much of what is taken is right.</p>
    <p class="quiet">Over all of them, average precision ${estimated(means.macro_average_precision)}, area under the ROC curve ${estimated(means.macro_roc_auc)}.</p>
    ${shown.map((each) => {
      const { name: words, color } = name(each.class_id);
      const says = html`${swatch(color)} <span class="long">${words}</span>: average precision ${estimated(each.average_precision)}, ROC area ${estimated(each.roc_auc)}`;
      const items = (from: number): string | null => {
        const filter = from < LIKELY ? null : (judged?.(`:from:${each.class_id}:${from}`) ?? null);
        return filter && found(filter);
      };
      return each.thresholds
        ? html`<details class="values"><summary>${says}</summary>${drawn(words, each.thresholds, items)}</details>`
        : html`<p>${says}</p>`;
    })}</section>`;
}

function drawn(name: string, rows: Threshold[], items: (from: number) => string | null): TemplateResult {
  const share = (value: number): string => percent(value);
  const options = { width: SIDE, height: HEIGHT, xMax: 1, yMin: 0, xWords: share, nameless: true, valueless: true };
  const right: Point[] = rows.map(([, found, , precision]) => ({ x: found, y: precision }));
  const alarmed: Point[] = [{ x: 0, y: 0 }, ...rows.map(([, found, alarms]) => ({ x: alarms, y: found }))];
  const chance: Point[] = [
    { x: 0, y: 0 },
    { x: 1, y: 1 },
  ];
  return html`<div class="curves">
      <div><h3>Right, by what is found</h3>${curveChart([{ name: "right", style: "chosen", points: right }], {
        ...options,
        label: `${name}: share that is right, by the share that is found`,
        xLabel: "found",
      })}</div>
      <div><h3>Found, by false alarms</h3>${curveChart(
        [
          { name: "by chance", style: "random", points: chance },
          { name: "found", style: "chosen", points: alarmed },
        ],
        { ...options, label: `${name}: share that is found, by the share of false alarms`, xLabel: "false alarms" },
      )}</div></div>
    <div class="scroll" tabindex="0" role="region" aria-label="Thresholds of ${name}, table"><table ${stacked()}>
      <thead><tr><th scope="col" class="number">From probability</th><th scope="col" class="number">Found (recall)</th>
        <th scope="col" class="number">Right (precision)</th><th scope="col" class="number">False alarms</th></tr></thead>
      <tbody>${rows.map(
        ([from, found, alarms, precision]) =>
          html`<tr><th scope="row" class="number">${reached(from, items(from))}</th><td class="number">${percent(found, 1)}</td>
          <td class="number">${percent(precision, 1)}</td><td class="number">${percent(alarms, 1)}</td></tr>`,
      )}</tbody></table></div>`;
}

/** A threshold, as a link to the items that reach it. */
function reached(from: number, href: string | null): TemplateResult | string {
  return href ? html`<a href=${href} title="The items that are taken then">${from.toFixed(2)}</a>` : from.toFixed(2);
}
