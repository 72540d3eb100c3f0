// A model server of one's own: its address, how it is asked, its secret, and a test that shows what it answers.
import { html, nothing, type TemplateResult } from "lit";
import { copy, message } from "./http";

export interface Learner {
  name: string;
  url?: string;
  batch?: number;
  timeout_seconds?: number;
  most?: number;
}

export interface Tested {
  seconds: number;
  fault: string | null;
  trains: boolean | null;
  version: string | null;
  features: number;
  items: { key: string; probabilities: Record<string, number> | null }[];
}

const CLASSES_SHOWN = 3;
const LIMITS = { batch: [1, 2000], seconds: [1, 600], most: [0, 1_000_000_000] } as const;

/** The fields of a scorer. `ask` sends a test; `renew` makes a new secret where there is a project to keep it. */
export class ScorerForm {
  private readonly fields = { url: "", secret: "", batch: "", seconds: "", most: "" };
  private tested: Tested | null = null;
  private fault = "";
  private busy = false;
  private fresh = "";

  constructor(
    private readonly draw: () => void,
    private readonly ask: (learner: Record<string, unknown>) => Promise<Tested>,
    private readonly renew?: () => Promise<string>,
  ) {}

  /** Show what is stored; a secret never is. */
  take(learner: Learner): void {
    const text = (value: number | undefined): string => (value === undefined ? "" : String(value));
    Object.assign(this.fields, {
      url: learner.url ?? "",
      secret: "",
      batch: text(learner.batch),
      seconds: text(learner.timeout_seconds),
      most: text(learner.most),
    });
  }

  /** The learner as the service takes it. */
  body(): Record<string, unknown> {
    const { url, secret, batch, seconds, most } = this.fields;
    return {
      name: "http",
      url: url.trim(),
      ...(secret ? { secret } : {}),
      ...(batch ? { batch: Number(batch) } : {}),
      ...(seconds ? { timeout_seconds: Number(seconds) } : {}),
      ...(most ? { most: Number(most) } : {}),
    };
  }

  /** What is wrong in words, or null. */
  wrong(): string | null {
    if (!/^https?:\/\/./.test(this.fields.url.trim())) return "Model server: give its address, as https://…";
    if (this.fields.secret && this.fields.secret.length < 16) return "Model server: a secret has 16 letters or more.";
    const outside = (Object.keys(LIMITS) as (keyof typeof LIMITS)[]).some((part) => {
      const [lowest, highest] = LIMITS[part];
      const value = Number(this.fields[part]);
      return this.fields[part] !== "" && !(value >= lowest && value <= highest);
    });
    return outside ? "Model server: 1 to 2,000 items a request, 1 to 600 seconds." : null;
  }

  view(): TemplateResult {
    const field = (part: keyof typeof this.fields) => (event: Event) => {
      this.fields[part] = (event.target as HTMLInputElement).value;
      this.tested = null;
    };
    const number = (part: "batch" | "seconds" | "most", label: string, hint: string): TemplateResult =>
      html`<label>${label}<input type="number" min=${LIMITS[part][0]} max=${LIMITS[part][1]} .value=${this.fields[part]} placeholder=${hint} @input=${field(part)}></label>`;
    return html`<section aria-labelledby="scorer-title"><h3 id="scorer-title">Your model server</h3>
      <p class="quiet">When a round is due the service teaches it, if it learns, and asks it about the items; people go on in the last order meanwhile. docs/own-model.md has a whole one in forty lines.</p>
      <label>Address<input type="url" maxlength="2000" placeholder="https://models.example.org/pets" autocomplete="off" .value=${this.fields.url} @input=${field("url")}></label>
      <label>Secret that signs each request <small>16 letters or more; ${this.renew ? "empty keeps the present one" : "empty: one is made"}</small>
        <input type="password" minlength="16" maxlength="200" autocomplete="new-password" .value=${this.fields.secret} @input=${field("secret")}></label>
      <div class="fields">${number("batch", "Items a request", "256")} ${number("seconds", "Seconds until a request is given up", "30")}
        ${number("most", "Items a round scores in a larger pool", "50,000")}</div>
      <div class="actions"><button type="button" class="secondary" ?disabled=${this.busy} @click=${() => this.test()}>${this.busy ? "Asking" : "Test with three items"}</button>
        ${this.renew ? html`<button type="button" class="secondary" @click=${() => this.another()}>Make a new secret</button>` : nothing}</div>
      ${this.fresh ? this.secret() : nothing}
      <div role="status">${this.tested && !this.tested.fault ? answer(this.tested) : nothing}</div>
      ${this.fault ? html`<p role="alert" class="wrong">${this.fault}</p>` : nothing}</section>`;
  }

  private secret(): TemplateResult {
    const take = async (): Promise<void> => {
      await copy(this.fresh, document.getElementById("scorer-secret") as HTMLInputElement);
    };
    return html`<div class="copy"><label for="scorer-secret">The new secret, shown this once: give it to your server</label>
      <input id="scorer-secret" type="text" readonly .value=${this.fresh} @focus=${(event: Event) => (event.target as HTMLInputElement).select()}>
      <button type="button" class="secondary" @click=${take}>Copy</button></div>`;
  }

  private async test(): Promise<void> {
    this.tested = null;
    this.fault = this.wrong() ?? "";
    if (!this.fault) {
      this.busy = true;
      this.draw();
      try {
        this.tested = await this.ask(this.body());
        this.fault = this.tested.fault
          ? `The test failed after ${this.tested.seconds.toFixed(1)} s: ${this.tested.fault}.`
          : "";
      } catch (error) {
        this.fault = message(error);
      }
      this.busy = false;
    }
    this.draw();
  }

  private async another(): Promise<void> {
    this.fault = "";
    try {
      this.fresh = (await this.renew?.()) ?? "";
    } catch (error) {
      this.fault = message(error);
    }
    this.draw();
  }
}

function answer(tested: Tested): TemplateResult {
  const version = tested.version ? `, version ${tested.version}` : "";
  const learns = tested.trains ? "it learns from the labels of each round" : "it does not learn here";
  if (!tested.items.length)
    return html`<p>It answers (${tested.seconds.toFixed(1)} s${version}): ${learns}, and waits to be taught first.</p>`;
  const vectors = tested.features ? ` It brings vectors of ${tested.features.toLocaleString("en-GB")} numbers.` : "";
  return html`<p>It answered in ${tested.seconds.toFixed(1)} s${version}: ${learns}.${vectors}</p>
    <div class="scroll" tabindex="0" role="region" aria-label="What it answered"><table>
      <thead><tr><th scope="col">Item</th><th scope="col">Most probable classes</th></tr></thead>
      <tbody>${tested.items.map((item) => html`<tr><td>${item.key}</td><td>${likely(item.probabilities)}</td></tr>`)}</tbody></table></div>`;
}

function likely(probabilities: Record<string, number> | null): string {
  if (!probabilities) return "it says nothing of this item";
  const best = Object.entries(probabilities).slice(0, CLASSES_SHOWN);
  return best.map(([name, share]) => `${name} ${Math.round(share * 100)} %`).join(", ");
}
