// The export's form: it only puts an address together; the browser streams the file to disk. What the chosen
// format loses is said before, not after.
import { html, render, type TemplateResult } from "lit";
import { exportOf } from "../lib/copy-as";
import { type CopyMenu, copyMenu } from "../lib/copy-menu";
import { pageData } from "../lib/http";
import { Snapshots } from "../lib/snapshots";

interface Config {
  project: { id: number; slug: string; modality: string };
}

const { project } = pageData<Config>();
const root = document.getElementById("export") as HTMLElement;
const FORMATS: Record<string, { name: string; loses: string }> = {
  jsonl: { name: "JSON lines", loses: "Nothing: every field and every byte. Importing it gives the same project." },
  csv: {
    name: "CSV",
    loses:
      "Nested values become JSON text in one cell, and the difference between an empty text and no value is lost. Cells that a spreadsheet would run as a formula get an apostrophe in front.",
  },
  parquet: {
    name: "Parquet",
    loses: "Metadata and labels of several classes become JSON text in one column; numbers and times keep their types.",
  },
};
const VIEWS: Record<string, string> = {
  items: "Items: one row an item, with its agreed label, votes, agreement and split",
  annotations: "Annotations: one row an answer, with who, when, seconds, round and why it was asked",
};
const snapshots = new Snapshots(project.id, () => draw());
const chosen = { format: "jsonl", view: "items", raw: false };

function address(): string {
  const raw = chosen.format === "csv" && chosen.raw ? "&raw=true" : "";
  return `/api/v1/projects/${project.id}/export?format=${chosen.format}&view=${chosen.view}${raw}`;
}

const fileName = (): string => `${project.slug}-${chosen.view}.${chosen.format}`;
const menu: CopyMenu = { open: null, said: "" };
const code = () => {
  const raw = chosen.format === "csv" && chosen.raw;
  return { code: exportOf(location.origin, project.slug, { ...chosen, raw }, fileName()), beside: null };
};

function draw(): void {
  render(
    html`<form class="card" @submit=${(event: Event) => event.preventDefault()}>
    ${choices("Rows", "view", Object.entries(VIEWS))}
    ${choices(
      "Format",
      "format",
      Object.entries(FORMATS).map(([name, format]): [string, string] => [name, format.name]),
    )}
    <p id="loses"><strong>What ${FORMATS[chosen.format]?.name} loses:</strong> ${FORMATS[chosen.format]?.loses}${files()}</p>
    ${
      chosen.format === "csv"
        ? html`<label><input type="checkbox" .checked=${chosen.raw} @change=${(event: Event) => {
            chosen.raw = (event.target as HTMLInputElement).checked;
            draw();
          }}> Leave such cells as they are: the file is for a program, not for a spreadsheet</label>`
        : ""
    }
    <p><a class="button" href=${address()} download=${fileName()} aria-describedby="loses">Download</a></p>
    ${copyMenu(menu, code, draw)}
  </form> ${snapshots.view()}`,
    root,
  );
}

const FILES: Record<string, string> = { image: "Images", audio: "Sounds", video: "Videos" };
const files = (): string => {
  const kind = FILES[project.modality];
  return kind ? ` ${kind} are named by their address and hash; the files themselves are not in it.` : "";
};

function choices(legend: string, part: "view" | "format", options: [string, string][]): TemplateResult {
  return html`<fieldset><legend>${legend}</legend>${options.map(
    ([value, words]) => html`<label><input type="radio" name=${part} value=${value} .checked=${chosen[part] === value}
    @change=${() => {
      chosen[part] = value;
      draw();
    }}> ${words}</label>`,
  )}</fieldset>`;
}

draw();
