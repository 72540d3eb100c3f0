// From a filled-in form to a project with items: create it, send the data, wait until the rows are stored.
// Each step can be tried again; a project that was created is never created twice.
import { type Code, type Data, importInto, newProject, type PushOptions } from "./copy-as";
import type { Beside } from "./copy-menu";
import { call, csrfToken, newId, Refusal } from "./http";
import { type Kind, type QuestionDraft, taskOf } from "./question-form";
import { type Head, labelNames, type Mapping, type Modality, mapParameter, type Row } from "./rows";

/** What becomes items of a project. */
export interface DataDraft {
  modality: Modality;
  kind: Kind | "form";
  classes: { name: string }[];
  source: File | null; // in UTF-8; null: pasted lines
  encoding: string; // in which the file was dropped
  rewritten: string | null; // its whole text, where that was another one than UTF-8
  head: Head;
  mapping: Mapping;
  folderLabels: boolean;
  questions: () => string[]; // the names of a form's questions
  compares: () => boolean; // candidates are asked for
}

export interface Draft extends QuestionDraft, DataDraft {
  name: string;
  classes: QuestionDraft["classes"];
  guidelines: string;
  learning: Record<string, unknown>; // strategy, round_size, overlap, audit_share, goal: only what differs from Automatic
}

export interface Project {
  id: number;
  slug: string;
  name: string;
}

export interface Job {
  id: number;
  state: "waiting" | "running" | "done" | "failed" | "cancelled";
  progress: { fraction?: number; done?: number; total?: number } | null;
  result: ImportResult | null;
  reason: string | null;
}

export interface ImportResult {
  created: number;
  updated: number;
  unchanged: number;
  rejected_count: number;
  rejected: { line: number; key: string | null; error: string }[];
}

interface Uploaded {
  media: { id: number; name: string }[];
  rejected: { name: string; error: string }[];
}

const SHOWN_CHARACTERS = 60_000; // of rows that stand in the code itself

export type Say = (words: string, fraction: number | null) => void;

/** Create the project; repeated with the same key it is the same project. */
export function createProject(draft: Draft, key: string): Promise<Project> {
  return call<Project>("POST", "/projects", { body: projectBody(draft), headers: { "Idempotency-Key": key } });
}

const projectBody = (draft: Draft): Record<string, unknown> => ({
  name: draft.name.trim(),
  modality: draft.modality,
  task: taskOf(draft),
  guidelines: draft.guidelines,
  ...draft.learning,
});

const FRESH: PushOptions = { create_classes: true, on_change: "reject" };

/** The code that makes the same project with the same items. */
export function codeOf(draft: Draft): { code: Code; beside: Beside | null } {
  const { data, beside } = dataOf(draft);
  return { code: newProject(location.origin, projectBody(draft), data), beside };
}

/** The code that pushes the same items into a project. */
export function pushCode(project: Project, draft: DataDraft, how: PushOptions): { code: Code; beside: Beside | null } {
  const { data, beside } = dataOf(draft);
  return { code: importInto(location.origin, project.slug, data, how), beside };
}

/** The data as code names it: rows in the code itself, a file as it is called, or one that has to lie beside it. */
function dataOf(draft: DataDraft): { data: Data; beside: Beside | null } {
  const name = draft.source?.name ?? "items.txt";
  if (draft.head.kind === "zip") {
    const labels = draft.folderLabels && draft.kind === "classification" ? [...labelFolders(draft)] : [];
    return { data: { kind: "zip", name, modality: draft.modality, labels }, beside: null };
  }
  const { lines, type, map } = sent(draft);
  if (!lines) {
    const beside = draft.rewritten === null ? null : { name, text: draft.rewritten };
    return { data: { kind: "file", name, type, map }, beside };
  }
  const text = lines.map((line) => `${line}\n`).join("");
  if (text.length <= SHOWN_CHARACTERS) return { data: { kind: "rows", lines }, beside: null };
  const beside = { name: `${name.replace(/\.[^.]*$/, "")}.items.jsonl`, text };
  return { data: { kind: "file", name: beside.name, type, map: "" }, beside };
}

/** Send the items and wait until they are stored. Throws Refusal with the server's words. */
export async function importItems(
  project: Project,
  draft: DataDraft,
  say: Say,
  how = FRESH,
): Promise<{ job: Job | null; result: ImportResult }> {
  if (draft.head.kind === "zip") return importFiles(project, draft, say, how);
  const { lines, type, map } = sent(draft);
  const body = lines ? new Blob(lines.map((line) => `${line}\n`)) : (draft.source as File);
  return sendRows(project, body, type, map && `&map=${encodeURIComponent(map)}`, say, how);
}

async function sendRows(
  project: Project,
  body: Blob,
  type: string,
  map: string,
  say: Say,
  how: PushOptions,
): Promise<{ job: Job; result: ImportResult }> {
  const path = `/api/v1/projects/${project.id}/items?async=true&create_classes=${how.create_classes}&on_change=${how.on_change}${map}`;
  const answer = (await upload(path, body, { "Content-Type": type }, (fraction) =>
    say("Sending the data", fraction),
  )) as { job: Job };
  const job = await finished(answer.job, (now) => say(stored(now), fractionOf(now)));
  if (job.state !== "done" || !job.result)
    throw new Refusal(422, "ImportFailed", job.reason ?? `The import was ${job.state}.`);
  return { job, result: job.result };
}

/** What is sent: rows in our own form as JSON lines, or the source as it is with its columns named. */
function sent(draft: DataDraft): { lines: string[] | null; type: string; map: string } {
  const types = {
    csv: "text/csv",
    jsonl: "application/x-ndjson",
    json: "application/json",
    parquet: "application/vnd.apache.parquet",
  };
  const { head, source } = draft;
  // Objects may lack a field, which a map of columns would refuse: where all are here, they are put in our own form.
  const own = head.kind === "lines" || (head.whole && (head.kind === "jsonl" || head.kind === "json"));
  if (own || !source)
    return { lines: head.rows.map((row) => JSON.stringify(itemOf(row, draft))), type: types.jsonl, map: "" };
  const map = mapParameter(draft.mapping, draft.modality, partsOf(draft));
  return { lines: null, type: types[head.kind as keyof typeof types], map };
}

/** The folders of an archive that are called as a class; the case of letters tells no classes apart. */
function labelFolders(draft: DataDraft): Set<string> {
  const folded = (name: string): string => name.trim().normalize("NFC").toLowerCase();
  const classes = new Set(draft.classes.map((each) => folded(each.name)));
  return new Set(draft.head.rows.map((row) => String(row.folder ?? "")).filter((name) => classes.has(folded(name))));
}

const OWN_FIELDS = ["features", "split", "priority", "labels"];

/** Further columns that are read: the candidates of a comparison, and of a form what is called label.NAME. */
function partsOf(draft: DataDraft): [string, string][] {
  const columns = draft.head.columns;
  const candidates = draft.compares() ? draft.mapping.candidates : [];
  const compared: [string, string][] =
    candidates.length === 1
      ? [["candidates", candidates[0] as string]]
      : candidates.map((column, place) => [`candidates.${place}`, column]);
  const names = draft.kind === "form" ? draft.questions().map((name) => `label.${name}`) : [];
  return [...compared, ...names.filter((name) => columns.includes(name)).map((name): [string, string] => [name, name])];
}

/** One row in the form of the items route; what has no place there becomes metadata. */
function itemOf(row: Row, draft: DataDraft): Row {
  const { mapping, modality } = draft;
  const parts = partsOf(draft);
  const taken = new Set(parts.map(([, column]) => column));
  const pieces = Object.fromEntries(parts.map(([target, column]) => [target, row[column]]));
  const left = Object.fromEntries(Object.entries(row).filter(([name]) => !taken.has(name)));
  const { [mapping.label]: label, [mapping.key]: key, ...others } = left;
  const known = label === undefined || label === null || label === "" ? {} : { label };
  const named = key === undefined || key === null ? {} : { key: String(key) };
  if (modality === "table") return { row: others, ...pieces, ...known, ...named };
  const { [mapping.text]: text, metadata, ...rest } = others;
  const own = Object.fromEntries(Object.entries(rest).filter(([name]) => OWN_FIELDS.includes(name)));
  const more = Object.fromEntries(Object.entries(rest).filter(([name]) => !OWN_FIELDS.includes(name)));
  const kept = { ...(typeof metadata === "object" ? metadata : {}), ...more };
  return {
    [modality]: text,
    ...own,
    ...pieces,
    ...(Object.keys(kept).length ? { metadata: kept } : {}),
    ...known,
    ...named,
  };
}

const ndjson = (rows: unknown[]): Blob => new Blob(rows.map((row) => `${JSON.stringify(row)}\n`));

/** A ZIP goes in as files first; then each one that was taken becomes an item, labelled by its folder if wished. */
async function importFiles(
  project: Project,
  draft: DataDraft,
  say: Say,
  how = FRESH,
): Promise<{ job: Job | null; result: ImportResult }> {
  const form = new FormData();
  form.append("files", draft.source as File);
  const path = `/api/v1/projects/${project.id}/media`;
  const { media, rejected: files } = (await upload(path, form, {}, (fraction) =>
    say("Sending the files", fraction),
  )) as Uploaded;
  const refused = files.map(({ name, error }) => ({ line: 0, key: name, error }));
  const known = labelFolders(draft);
  const rows = media.map((file) => {
    const folder = file.name.split("/").slice(-2, -1)[0] ?? "";
    const label = draft.folderLabels && known.has(folder) ? { label: { class: folder } } : {};
    return { key: file.name, [draft.modality]: file.id, ...(draft.kind === "classification" ? label : {}) };
  });
  const { job, result } = await sendRows(project, ndjson(rows), "application/x-ndjson", "", say, how);
  const rejected = [...refused, ...result.rejected];
  return {
    job: result.rejected_count ? job : null,
    result: { ...result, rejected, rejected_count: result.rejected_count + refused.length },
  };
}

/** `fetch` cannot tell how much has been sent, so this is an XMLHttpRequest. */
function upload(
  path: string,
  body: Blob | FormData,
  headers: Record<string, string>,
  sent: (fraction: number) => void,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    const all = { Accept: "application/json", "X-CSRF-Token": csrfToken(), "Idempotency-Key": newId(), ...headers };
    for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) sent(event.loaded / event.total);
    });
    request.addEventListener("error", () =>
      reject(
        new Refusal(
          0,
          "Unreachable",
          "The connection broke while sending. Try again: rows that arrived are not doubled.",
        ),
      ),
    );
    request.addEventListener("load", () => {
      const value = request.response as { error?: string; detail?: string } | null;
      if (request.status < 300) resolve(value);
      else
        reject(
          new Refusal(
            request.status,
            value?.error ?? "Refused",
            value?.detail ?? `The server refused the data (${request.status}).`,
          ),
        );
    });
    request.send(body);
  });
}

/** Wait for a job with long requests; `say` hears of every change. */
export async function finished(job: Job, say: (job: Job) => void): Promise<Job> {
  let now = job;
  while (now.state === "waiting" || now.state === "running") {
    say(now);
    const answer = await call<Job | { job: Job }>("GET", `/jobs/${job.id}?wait=10`);
    now = "job" in answer ? answer.job : answer;
  }
  return now;
}

function stored({ progress, state }: Job): string {
  if (state === "waiting") return "Waiting for a worker";
  return progress?.done === undefined
    ? "Storing the rows"
    : `Storing the rows: ${progress.done.toLocaleString("en-GB")}`;
}

const fractionOf = ({ progress }: Job): number | null =>
  progress?.fraction ?? (progress?.total ? (progress.done ?? 0) / progress.total : null);

/** The first rows of a Parquet file, read by the server; the file is not kept. */
export async function parquetHead(file: File): Promise<Head> {
  const answer = (await upload(
    "/projects/new/parquet",
    file,
    { "Content-Type": "application/vnd.apache.parquet" },
    () => {},
  )) as { columns: string[]; rows: Record<string, unknown>[]; total: number };
  return { kind: "parquet", columns: answer.columns, rows: answer.rows, whole: answer.rows.length === answer.total };
}

/** How many rows of the preview carry a label that is one of the classes. */
export const labelledRows = (head: Head, column: string): number =>
  column ? head.rows.filter((row) => labelNames(row[column]).length > 0).length : 0;
