// Reading the beginning of a dropped file, or pasted lines, so that its rows can be shown before anything is sent.
// The server reads the whole file again and is the judge; this is a preview and a guess at the columns.

export type Row = Record<string, unknown>;
export type Kind = "lines" | "csv" | "jsonl" | "json" | "parquet" | "zip";
export type Modality = "text" | "image" | "audio" | "video" | "table";

export interface Head {
  kind: Kind;
  columns: string[];
  rows: Row[];
  whole: boolean; // every row of the source is here
}

/** What each column is for; an empty name means "none". `metadata` takes every other column along. */
export interface Mapping {
  text: string;
  label: string;
  key: string;
  candidates: string[]; // what a comparison puts in order: one column with a list, or a column each
}

export const HEAD_BYTES = 2_000_000;
const TEXT_BYTES = 64_000_000;
const SHORT_LABEL = 60;
const MOST_CLASSES = 100;
const LONG_TEXT = 25;
const TEXT_NAMES = [
  "text",
  "prompt",
  "body",
  "content",
  "sentence",
  "message",
  "comment",
  "review",
  "question",
  "title",
  "abstract",
];
const LABEL_NAMES = ["label", "class", "category", "tag", "target", "y", "sentiment", "intent", "topic"];
const CANDIDATE_NAME = /^(candidate|answer|response|option|completion|output|chosen|rejected)([ _-]?\w{1,2})?$/i;
const KEY_NAMES = ["key", "id", "uid", "uuid", "doc_id", "item_id", "document_id", "record_id", "row_id"];
const NEARLY_ALL = 0.98;

export class Unreadable extends Error {}

/** The kind of a file by its name. Throws Unreadable for a kind that is not taken. */
export function kindOf(name: string): Kind {
  const ending = name.toLowerCase().split(".").pop() ?? "";
  const kinds: Record<string, Kind> = {
    csv: "csv",
    tsv: "csv",
    txt: "lines",
    jsonl: "jsonl",
    ndjson: "jsonl",
    json: "json",
    parquet: "parquet",
    zip: "zip",
  };
  const kind = kinds[ending];
  if (!kind)
    throw new Unreadable(
      `A file that ends in .${ending} is not taken. Take a CSV, JSONL, JSON, Parquet, text or ZIP file.`,
    );
  return kind;
}

/** The first rows of a text file in UTF-8. Throws Unreadable when it is not what its name says. */
export async function readHead(file: Blob, kind: Kind): Promise<Head> {
  if (kind === "lines" && file.size > TEXT_BYTES)
    throw new Unreadable("A text file of more than 64 MB is too large for the browser: save it as CSV or JSON lines.");
  // Lines are sent in our own form, so all of them are needed; other files are sent as they are.
  const whole = kind === "lines" || file.size <= HEAD_BYTES;
  const text = decode(await file.slice(0, whole ? file.size : HEAD_BYTES).arrayBuffer(), whole);
  if (!text.trim()) throw new Unreadable("The file is empty.");
  if (kind === "json") return fromObjects(jsonArray(text, whole), kind, whole);
  const complete = whole ? text : text.slice(0, text.lastIndexOf("\n") + 1);
  if (kind === "jsonl") return fromObjects(jsonLines(complete), kind, whole);
  if (kind === "csv") return fromCsv(complete, whole);
  return fromLines(complete, whole);
}

/** One item a line; empty lines are left out. */
export function fromLines(text: string, whole = true): Head {
  const rows = text.split(/\r?\n/).flatMap((line) => (line.trim() ? [{ text: line.trim() }] : []));
  return { kind: "lines", columns: ["text"], rows, whole };
}

function decode(bytes: ArrayBuffer, whole: boolean): string {
  // A cut in the middle of a character is no fault of the file: `stream` keeps quiet about it.
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: !whole });
}

/** How files were saved that are not in UTF-8, by the names that browsers know. */
export const ENCODINGS: Record<string, string> = {
  "windows-1252": "Western European (Windows)",
  macintosh: "Western European (Mac)",
  "windows-1250": "Central European (Windows)",
  "windows-1251": "Cyrillic (Windows)",
  "windows-1253": "Greek (Windows)",
  "windows-1254": "Turkish (Windows)",
  shift_jis: "Japanese (Shift JIS)",
  gb18030: "Chinese (GB 18030)",
  big5: "Chinese (Big5)",
  "euc-kr": "Korean (EUC-KR)",
  "utf-16le": "UTF-16",
  "utf-16be": "UTF-16, big-endian",
};

/** The file in UTF-8: as it is, or read in the encoding that its first bytes, or else a person, name.
 *
 * Throws Unreadable where it is in another encoding and too large for a browser to be written anew. */
export async function inUtf8(
  file: File,
  encoding?: string,
): Promise<{ source: File; encoding: string; rewritten: string | null }> {
  const found = encoding ?? (BINARY.includes(kindOf(file.name)) ? "utf-8" : await encodingOf(file));
  if (found === "utf-8") return { source: file, encoding: found, rewritten: null };
  if (file.size > TEXT_BYTES)
    throw new Unreadable("The file is not in UTF-8 and larger than 64 MB. Save it as UTF-8, then drop it again.");
  const rewritten = new TextDecoder(found).decode(await file.arrayBuffer());
  const name = file.name.replace(/(\.[^.]*)$/, ".utf-8$1");
  return { source: new File([rewritten], name, { type: file.type }), encoding: found, rewritten };
}

const BINARY: Kind[] = ["zip", "parquet"];

async function encodingOf(file: File): Promise<string> {
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (start[0] === 0xff && start[1] === 0xfe) return "utf-16le";
  if (start[0] === 0xfe && start[1] === 0xff) return "utf-16be";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for (let at = 0; at < Math.min(file.size, TEXT_BYTES); at += HEAD_BYTES)
      decoder.decode(await file.slice(at, at + HEAD_BYTES).arrayBuffer(), { stream: true });
    if (file.size <= TEXT_BYTES) decoder.decode(); // a letter that is cut off at the very end
    return "utf-8";
  } catch {
    return "windows-1252";
  }
}

function jsonArray(text: string, whole: boolean): unknown[] {
  if (!whole)
    throw new Unreadable("A JSON array of more than 2 MB cannot be shown before it is sent: save it as JSON lines.");
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch (error) {
    throw new Unreadable(`The file is not valid JSON: ${(error as Error).message}`);
  }
  throw new Unreadable("The JSON file is not an array of objects.");
}

function jsonLines(text: string): unknown[] {
  return text.split("\n").flatMap((line, place) => {
    if (!line.trim()) return [];
    try {
      return [JSON.parse(line)];
    } catch {
      throw new Unreadable(`Line ${place + 1} is not valid JSON. Every line is one object, as {"text": "..."}.`);
    }
  });
}

function fromObjects(values: unknown[], kind: Kind, whole: boolean): Head {
  const rows = values.map((value, place) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Unreadable(`Row ${place + 1} is not an object, as {"text": "..."}.`);
    }
    const row = value as Row;
    // {"row": {...}} of the interface's own form is shown as its columns.
    return typeof row.row === "object" && row.row !== null ? { ...row, ...(row.row as Row) } : row;
  });
  if (rows.length === 0) throw new Unreadable("The file holds no rows.");
  const columns = [...new Set(rows.slice(0, 500).flatMap((row) => Object.keys(row)))].filter((name) => name !== "row");
  return { kind, columns, rows, whole };
}

function fromCsv(text: string, whole: boolean): Head {
  const separator = likelySeparator(text.slice(0, text.indexOf("\n") + 1 || undefined));
  const [first, ...records] = csvRecords(text.replace(/^\uFEFF/, ""), separator);
  const header = columnNames(first ?? []);
  if (!header.length || records.length === 0) throw new Unreadable("The CSV file has no row under its header.");
  const twice = header.find((name, place) => header.indexOf(name) < place);
  if (twice)
    throw new Unreadable(`Two columns are called “${twice}”. Give each a name of its own, then drop it again.`);
  const rows = records.map((record) => Object.fromEntries(header.map((name, place) => [name, record[place] ?? ""])));
  return { kind: "csv", columns: header, rows, whole };
}

/** As the server names them: without a name at the end there is no column, elsewhere it is called by its number. */
function columnNames(header: string[]): string[] {
  const names = header.map((name) => name.trim());
  while (names.length && !names.at(-1)) names.pop();
  return names.map((name, place) => name || `column ${place + 1}`);
}

const likelySeparator = (line: string): string =>
  [",", ";", "\t"].reduce((best, each) => (line.split(each).length > line.split(best).length ? each : best), ",");

/** Records by RFC 4180: quotes may hold separators, line ends and doubled quotes. */
export function csvRecords(text: string, separator = ","): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let cell = "";
  let quoted = false;
  const endRecord = (): void => {
    record.push(cell);
    if (record.some((each) => each !== "")) records.push(record);
    record = [];
    cell = "";
  };
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] as string;
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') cell += text[at++];
      else quoted = false;
    } else if (letter === '"' && cell === "") quoted = true;
    else if (letter === separator) {
      record.push(cell);
      cell = "";
    } else if (letter === "\n") endRecord();
    else if (letter !== "\r") cell += letter;
  }
  endRecord();
  return records;
}

/** What the columns are probably for. */
export function guess(head: Head): { modality: Modality; mapping: Mapping } {
  if (head.kind === "zip") return { modality: "image", mapping: { text: "", label: "", key: "", candidates: [] } };
  const text = textColumn(head);
  const label = labelColumn(head, text);
  const key =
    named(head.columns, KEY_NAMES).find((name) => name !== text && name !== label && distinct(head, name)) ?? "";
  const modality = text ? "text" : "table";
  return {
    modality,
    mapping: { text: text || (head.columns[0] ?? ""), label, key, candidates: candidatesOf(head, text) },
  };
}

/** Columns that look like the candidates of a comparison. */
function candidatesOf(head: Head, text: string): string[] {
  if (head.columns.includes("candidates")) return ["candidates"];
  return head.columns.filter((name) => name !== text && CANDIDATE_NAME.test(name)).slice(0, 10);
}

function textColumn(head: Head): string {
  const byName = named(head.columns, TEXT_NAMES)[0];
  if (byName) return byName;
  const lengths = head.columns.map((name) => ({ name, mean: meanLength(head, name) }));
  const longest = lengths.sort((one, other) => other.mean - one.mean)[0];
  return longest && (longest.mean >= LONG_TEXT || head.columns.length === 1) ? longest.name : "";
}

function labelColumn(head: Head, text: string): string {
  const candidates = named(head.columns, LABEL_NAMES).filter((name) => name !== text);
  return candidates.find((name) => classesIn(head, name).length > 0) ?? "";
}

/** The columns of these names in the order of the names; “Doc ID” is doc_id. */
const named = (columns: string[], wanted: string[]): string[] =>
  wanted.flatMap((want) =>
    columns.filter(
      (name) =>
        name
          .trim()
          .toLowerCase()
          .replace(/[\s-]+/g, "_") === want,
    ),
  );

function meanLength(head: Head, column: string): number {
  const values = head.rows.slice(0, 200).map((row) => row[column]);
  const texts = values.filter((value): value is string => typeof value === "string" && Number.isNaN(Number(value)));
  return texts.length < values.length / 2 ? 0 : texts.reduce((sum, value) => sum + value.length, 0) / texts.length;
}

/** Whether nearly all rows differ in a column: the few that come twice are named by the import. */
const distinct = (head: Head, column: string): boolean =>
  new Set(head.rows.map((row) => String(row[column] ?? ""))).size >= NEARLY_ALL * head.rows.length;

/** The classes that a label column holds, in alphabetical order; none when it does not look like one. Spellings that
 * differ in case are one class, by the most frequent of them. */
export function classesIn(head: Head, column: string): string[] {
  if (!column) return [];
  const names = head.rows.flatMap((row) => labelNames(row[column]));
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const spellings = new Map<string, string>();
  for (const [name, count] of counts) {
    const folded = name.normalize("NFC").toLowerCase();
    if (count > (counts.get(spellings.get(folded) ?? "") ?? 0)) spellings.set(folded, name);
  }
  const found = [...spellings.values()].filter((name) => name.length <= SHORT_LABEL);
  return found.length > MOST_CLASSES
    ? []
    : found.sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
}

/** The class names in one cell: a name, `{"class": ...}`, `{"classes": [...]}` or a list. */
export function labelNames(value: unknown): string[] {
  if (value === null || value === undefined || value === "") return [];
  if (Array.isArray(value)) return value.flatMap(labelNames);
  if (typeof value === "object") {
    const label = value as { class?: unknown; classes?: unknown };
    return labelNames(label.class ?? label.classes);
  }
  return [String(value).trim()];
}

/** The `map` of the items route for these columns; empty when the names are the interface's own already. */
export function mapParameter(mapping: Mapping, modality: Modality, more: [string, string][] = []): string {
  const parts: string[] = more.map(([target, column]) => `${target}:${column}`);
  if (modality !== "table" && mapping.text) parts.push(`${modality}:${mapping.text}`);
  if (mapping.label) parts.push(`label:${mapping.label}`);
  if (mapping.key) parts.push(`key:${mapping.key}`);
  parts.push(modality === "table" ? "row:*" : "metadata:*");
  return parts.join(",");
}
