// What becomes items: a dropped file or pasted lines, what its columns are for, its first rows. Nothing is sent here,
// except that a Parquet file is shown to the server to learn its columns.
import { html, nothing, type TemplateResult } from "lit";
import { candidateColumns } from "./candidates";
import { message } from "./http";
import { type DataDraft, labelledRows, parquetHead } from "./importer";
import {
  classesIn,
  ENCODINGS,
  fromLines,
  guess,
  HEAD_BYTES,
  type Head,
  inUtf8,
  kindOf,
  type Modality,
  type Row,
  readHead,
} from "./rows";
import { folderOf, mediaFiles, modalityOf, previewUrl } from "./zip";

const ROWS_SHOWN = 5;
const COLUMNS_SHOWN = 6;
const CELL_SHOWN = 80;
const PARQUET_LIMIT = 64_000_000;
const MODALITIES = { text: "Text", table: "Table" };
const FOUND: Partial<Record<Modality, string>> = { image: "images", audio: "sounds", video: "videos" };
const FILES: Partial<Record<Modality, string>> = { image: "Image", audio: "Sound", video: "Video" };

export const NO_HEAD: Head = { kind: "lines", columns: [], rows: [], whole: true };

/** What a page does with its data. */
export interface DataHost {
  draw: () => void;
  taken: (file: File) => void; // another file was read
  mapped: () => void; // the labels may be others now
  running: boolean; // the project is there already: its modality stands, and rows may label its items by key alone
}

export class DataPart {
  picture: string | null = null; // of the first file of an archive
  fault = "";
  private columns = "";
  private pasted = "";
  private original: File | null = null; // as it was dropped

  constructor(
    private readonly draft: DataDraft,
    private readonly host: DataHost,
  ) {}

  view(): TemplateResult {
    const files = FILES[this.draft.modality];
    return html`<div class="drop" @dragover=${hover} @dragleave=${hover} @drop=${(event: DragEvent) => this.drop(event)}>
        <label for="file">Drop a file here, or choose one</label>
        <input id="file" type="file" accept=".csv,.tsv,.jsonl,.ndjson,.json,.parquet,.txt,.zip" aria-describedby="kinds" @change=${(event: Event) => this.choose(event)}>
        <small id="kinds">${
          this.host.running && files
            ? `A ZIP of ${FOUND[this.draft.modality]}; or CSV, JSONL, JSON or Parquet whose rows name files that are here already, or addresses.`
            : "CSV, JSONL, JSON, Parquet, text with one item a line, or a ZIP of images, sounds or videos."
        }</small>
      </div>
      ${this.host.running && this.draft.modality !== "text" ? nothing : this.pasting()}
      ${this.fault ? html`<p role="alert" class="wrong">${this.fault}</p>` : nothing}
      ${this.draft.head.rows.length ? this.seen() : nothing}`;
  }

  /** What still lacks before anything can be sent; null where it is whole. */
  complaint(): string | null {
    const { head, mapping, modality } = this.draft;
    if (head.rows.length === 0) return this.fault || "Drop a file or paste lines first.";
    if (head.kind === "zip") return null;
    const compares = this.draft.compares();
    const answers = head.columns.some((name) => name === mapping.label || name.startsWith("label."));
    const labels = this.host.running && mapping.key !== "" && answers;
    if (modality !== "table" && !mapping.text && !(compares && mapping.candidates.length) && !labels)
      return FILES[modality] ? "Say which column names the file." : "Say which column is the text.";
    if (compares && !mapping.candidates.length && !labels) return "Say which columns are the candidates.";
    return null;
  }

  private pasting(): TemplateResult {
    return html`<label for="paste">Or paste text, one item a line</label>
      <textarea id="paste" rows="4" .value=${this.pasted} placeholder="The food was cold&#10;Friendly staff, will come again" @input=${(event: Event) => this.paste(event)}></textarea>`;
  }

  private seen(): TemplateResult {
    const { head, source, modality } = this.draft;
    const size = head.whole
      ? `${head.rows.length.toLocaleString("en-GB")} ${(head.kind === "zip" && FOUND[modality]) || "items"}`
      : "The beginning of the file";
    return html`<p role="status">${size} found${source ? ` in ${source.name}` : ""}.</p>
      ${this.encoding()}
      ${head.kind === "zip" ? this.folders() : head.columns.length > 1 || head.kind !== "lines" ? html`${this.mapping()} ${sampleTable(head)}` : nothing}`;
  }

  /** A file in another encoding than UTF-8 is read in one that a person can look at and change. */
  private encoding(): TemplateResult | typeof nothing {
    const { encoding } = this.draft;
    if (encoding === "utf-8" || !this.original) return nothing;
    const file = this.original;
    const other = (event: Event): void => void this.take(file, (event.target as HTMLSelectElement).value);
    return html`<p>The file is not in UTF-8. Look at its letters below: where they are wrong, choose how they were saved.</p>
      <label>Saved as<select @change=${other}>${Object.entries(ENCODINGS).map(([name, words]) => html`<option value=${name} ?selected=${name === encoding}>${words}</option>`)}</select></label>`;
  }

  private folders(): TemplateResult | typeof nothing {
    const folders = classesIn(this.draft.head, "folder");
    if (folders.length < (this.host.running ? 1 : 2)) return nothing;
    return html`<label><input type="checkbox" .checked=${this.draft.folderLabels} @change=${(event: Event) => {
      this.draft.folderLabels = (event.target as HTMLInputElement).checked;
      this.host.mapped();
      this.host.draw();
    }}>
      The folders are the labels (${folders.length} ${folders.length === 1 ? "folder" : "folders"})</label>`;
  }

  private mapping(): TemplateResult {
    const { mapping, modality, head, kind } = this.draft;
    const pick = (part: "text" | "label" | "key") => (event: Event) => {
      mapping[part] = (event.target as HTMLSelectElement).value;
      if (part === "label") this.host.mapped();
      this.host.draw();
    };
    const select = (part: "text" | "label" | "key", optional: boolean): TemplateResult =>
      html`<select @change=${pick(part)}>${optional ? html`<option value="" ?selected=${mapping[part] === ""}>none</option>` : nothing}
        ${head.columns.map((name) => html`<option value=${name} ?selected=${name === mapping[part]}>${name}</option>`)}</select>`;
    const content = FILES[modality] ?? "Text";
    const found = labelledRows(head, mapping.label);
    return html`<div class="fields">
      ${this.host.running ? nothing : this.kinds()}
      ${modality === "table" ? nothing : html`<label>${content}${select("text", this.host.running)}</label>`}
      ${kind === "form" ? nothing : html`<label>Label, if known${select("label", true)}</label>`}
      <label>Key, if there is one${select("key", true)}</label></div>
      ${modality === "text" && head.columns.length > 1 && this.draft.compares() ? candidateColumns(this.draft, this.host.draw) : nothing}
      ${
        kind === "form"
          ? html`<p class="quiet">Answers that are known: a column a question, called label. and the question's name${
              this.host.running
                ? `: ${this.draft
                    .questions()
                    .map((name) => `label.${name}`)
                    .join(", ")}`
                : ""
            }.</p>`
          : nothing
      }
      ${found && kind !== "form" && !this.host.running ? html`<p class="quiet">${found.toLocaleString("en-GB")} of these rows carry a label: they teach the model before anybody answers.</p>` : nothing}`;
  }

  private kinds(): TemplateResult {
    const changed = (event: Event): void => {
      this.draft.modality = (event.target as HTMLSelectElement).value as Modality;
      this.host.draw();
    };
    return html`<label>Kind of items<select @change=${changed}>
      ${Object.entries(MODALITIES).map(([name, words]) => html`<option value=${name} ?selected=${name === this.draft.modality}>${words}</option>`)}</select></label>`;
  }

  private drop(event: DragEvent): void {
    event.preventDefault();
    (event.currentTarget as HTMLElement).classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) void this.take(file);
  }

  private choose(event: Event): void {
    const file = (event.target as HTMLInputElement).files?.[0];
    if (file) void this.take(file);
  }

  private async take(file: File, encoding?: string): Promise<void> {
    this.fault = "";
    this.pasted = "";
    if (this.picture) URL.revokeObjectURL(this.picture);
    this.picture = null;
    try {
      const plain = await inUtf8(file, encoding);
      const head = await this.headOf(plain.source);
      const { modality, mapping } = guess(head);
      this.original = file;
      Object.assign(this.draft, { head, ...plain });
      if (encoding === undefined || head.columns.join() !== this.columns) this.draft.mapping = mapping;
      this.columns = head.columns.join();
      this.kind(head, modality);
      this.host.taken(file);
      this.host.mapped();
    } catch (error) {
      Object.assign(this.draft, { head: NO_HEAD, source: null, encoding: "utf-8", rewritten: null });
      this.fault = message(error);
    }
    this.host.draw();
  }

  /** What the items are: guessed for a new project; a running one takes its own kind alone. */
  private kind(head: Head, guessed: Modality): void {
    const found = head.kind === "zip" ? modalityOf(String(head.rows[0]?.name ?? "")) : guessed;
    if (!this.host.running) {
      this.draft.modality = found;
      return;
    }
    const { modality, mapping } = this.draft;
    if (head.kind === "zip" && found !== modality)
      throw new Error(
        `The ZIP holds ${FOUND[found]}, and this project is about ${FOUND[modality] ?? `${modality === "table" ? "rows of a table" : "texts"}`}.`,
      );
    if (FILES[modality]) mapping.text = head.columns.find((name) => name.toLowerCase() === modality) ?? "";
    else if (modality === "text" && guessed !== "text") mapping.text = "";
  }

  private async headOf(file: File): Promise<Head> {
    const kind = kindOf(file.name);
    if (kind === "zip") {
      const entries = await mediaFiles(file);
      if (entries[0]) this.picture = await previewUrl(file, entries[0]).catch(() => null);
      const rows = entries.map(({ name }) => ({ name, folder: folderOf(name) }));
      return { kind, columns: ["name"], rows, whole: true };
    }
    if (kind !== "parquet") return readHead(file, kind);
    if (file.size > PARQUET_LIMIT)
      throw new Error(
        "A Parquet file of more than 64 MB is imported with the command line: labelwise import PROJECT FILE.",
      );
    return parquetHead(file);
  }

  private paste(event: Event): void {
    this.pasted = (event.target as HTMLTextAreaElement).value;
    this.fault =
      this.pasted.length > HEAD_BYTES
        ? "That is a lot to paste: save it as a text file, one item a line, and drop the file."
        : "";
    const mapping = { text: "text", label: "", key: "", candidates: [] };
    const plain = { source: null, encoding: "utf-8", rewritten: null };
    Object.assign(this.draft, { head: fromLines(this.pasted), mapping, ...plain });
    if (!this.host.running) this.draft.modality = "text";
    this.host.mapped();
    this.host.draw();
  }
}

function sampleTable(head: Head): TemplateResult {
  const columns = head.columns.slice(0, COLUMNS_SHOWN);
  const more = head.columns.length - columns.length;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="The first rows"><table class="sample">
    <thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
    <tbody>${head.rows.slice(0, ROWS_SHOWN).map((row) => html`<tr>${columns.map((name) => html`<td>${cell(row, name)}</td>`)}</tr>`)}</tbody></table></div>
    ${more > 0 ? html`<p class="quiet">and ${more} more ${more === 1 ? "column" : "columns"}</p>` : nothing}`;
}

function cell(row: Row, column: string): string {
  const value = row[column];
  const text =
    value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
  const letters = [...text];
  return letters.length > CELL_SHOWN ? `${letters.slice(0, CELL_SHOWN).join("")} …` : text;
}

function hover(event: DragEvent): void {
  event.preventDefault();
  (event.currentTarget as HTMLElement).classList.toggle("over", event.type === "dragover");
}
