// The judged items of a round cut by a column of one's own choice: every slice of it, small ones too.
import { html, nothing, type TemplateResult } from "lit";
import { bar, count, percent } from "./figures";
import { call, message } from "./http";
import { estimated, type Found, judges, linked, type Rest, restOf, type Slice } from "./rounds";
import { behind } from "./slices-view";
import { stacked } from "./stacked";

type Cut = Omit<Slice, "rest" | "worse"> & {
  rest: Rest | null; // nothing is outside
  classes: { class: { id: number; name: string }; recall: { value: number; n: number } }[];
};

interface Report {
  stratum: "audit" | "imported";
  judged: number;
  columns: { name: string; items: number }[];
  left_out: number;
  slices: Cut[];
}

const LENGTH = "text.length";
const WEAKEST = 3; // classes that a slice names

export class ColumnView {
  private column: string | null = null; // a column may be called nothing at all
  private found: Report | null = null;
  private busy = false;
  private trouble = "";

  constructor(
    private readonly base: string,
    private readonly manager: boolean,
    private readonly draw: () => void,
    private readonly to: Found,
  ) {}

  view(round: number): TemplateResult {
    const open = (event: Event): void => {
      if ((event.target as HTMLDetailsElement).open && !this.found && !this.busy) void this.load(round);
    };
    return html`<details class="values" @toggle=${open}><summary>By a column of your choice</summary>
      ${this.trouble ? html`<p role="alert" class="wrong">${this.trouble}</p>` : nothing}
      ${this.found ? this.chosen(this.found, round) : this.trouble ? nothing : html`<p class="quiet" aria-busy="true">Reading the columns</p>`}</details>`;
  }

  private chosen(found: Report, round: number): TemplateResult {
    if (!found.columns.length)
      return html`<p class="quiet">None of the ${count(found.judged)} ${judges(found.stratum)} has metadata to cut by. Metadata are pushed with the items.</p>`;
    const choose = (event: Event): void => {
      this.column = found.columns[Number((event.target as HTMLSelectElement).value)]?.name ?? null;
      void this.load(round);
    };
    return html`<p><label>Column <select @change=${choose} ?disabled=${this.busy}>
      <option value="-1" ?selected=${this.column === null}>choose one</option>
      ${found.columns.map(({ name, items }, at) => html`<option value=${at} ?selected=${name === this.column}>${name === LENGTH ? "length of the text" : name || '""'}${items < found.judged ? ` (${count(items)} of ${count(found.judged)} have it)` : ""}</option>`)}
    </select></label></p>
    <div role="status">${this.column !== null && found.slices.length ? this.table(found, round) : nothing}</div>`;
  }

  private table(found: Report, round: number): TemplateResult {
    const bounds = found.left_out ? ` ${count(found.left_out)} rarer values are left out.` : "";
    return html`<p class="quiet">Bands and <em>likely</em> hold together for the slices of this column. Who looks at many columns finds one by chance.${bounds}</p>
      <div class="scroll" tabindex="0" role="region" aria-label="Slices by the column, table"><table ${stacked()}>
      <thead><tr><th scope="col">Slice</th><th scope="col">Verdict</th><th scope="col">Accuracy</th>
        <th scope="col">The rest</th><th scope="col" class="number">Wrong</th><th scope="col">Weakest classes</th></tr></thead>
      <tbody>${found.slices.map((each) => this.row(each, round))}</tbody></table></div>`;
  }

  private row(each: Cut, round: number): TemplateResult {
    const filter = (which: string): string | null => behind(round, which, each.filter, this.manager);
    const weak = each.classes.filter(({ recall }) => recall.value < 1).sort((a, b) => a.recall.value - b.recall.value);
    return html`<tr><th scope="row" class="long">${each.words}</th>
      <td>${each.likely ? "likely worse" : html`<span class="quiet">cannot tell</span>`}</td>
      <td><div>${bar(each.accuracy.value, 1, "var(--accent)", each.accuracy)} ${estimated(each.accuracy)}</div></td>
      <td>${restOf(each.rest)}</td>
      <td class="number"><span>${linked(each.wrong, filter(":wrong"), this.to)} of ${linked(each.accuracy.n, filter(""), this.to)}</span></td>
      <td class="long">${weak.length ? weak.slice(0, WEAKEST).map((of, at) => html`${at ? ", " : ""}${of.class.name} ${percent(of.recall.value)} of ${count(of.recall.n)}`) : html`<span class="quiet">none</span>`}</td></tr>`;
  }

  private async load(round: number): Promise<void> {
    this.busy = true;
    this.trouble = "";
    this.draw();
    try {
      const query = this.column === null ? "" : `?column=${encodeURIComponent(this.column)}`;
      this.found = await call<Report>("GET", `${this.base}/rounds/${round}/slices${query}`);
    } catch (error) {
      this.trouble = message(error);
    }
    this.busy = false;
    this.draw();
  }
}
