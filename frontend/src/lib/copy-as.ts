// The code that does what a form says, for Python's client and for curl in a POSIX shell. Pure functions: names, files
// and texts may hold quotes, spaces, line ends, $ and any letter; the token stays in the environment.

export interface Code {
  python: string;
  curl: string;
}

/** What becomes items: rows as JSON lines, a file as it is, or a ZIP whose files are uploaded first. */
export type Data =
  | { kind: "rows"; lines: string[] }
  | { kind: "file"; name: string; type: string; map: string }
  | { kind: "zip"; name: string; modality: string; labels: string[] };

/** How rows are pushed. */
export interface PushOptions {
  create_classes: boolean;
  on_change: "reject" | "replace";
}

const END = "LABELWISE"; // no JSON line is this word
const AUTH = `-H "Authorization: Bearer $LABELWISE_TOKEN"`;
const LINES = "application/x-ndjson";
const FRESH: PushOptions = { create_classes: true, on_change: "reject" };

/** One word of a POSIX shell that is exactly this text. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** A literal of Python with this JSON value; strings are escaped the same way in both. */
export function pythonLiteral(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([name, each]) => `${JSON.stringify(name)}: ${pythonLiteral(each)}`)
      .join(", ")}}`;
  return JSON.stringify(value);
}

/** A project with this body, and its items. */
export function newProject(origin: string, body: Record<string, unknown>, data: Data): Code {
  const python = [
    ...(data.kind === "zip" ? ["from pathlib import Path", ""] : []),
    "from labelwise import Client, Project",
    "",
    `client = Client(${pythonLiteral(origin)})  # the token is read from LABELWISE_TOKEN`,
    `project = Project(client, client.call("POST", "/projects", json=${pythonLiteral(body)}))`,
    ...pythonItems(data, FRESH),
    'print(project.card["slug"], report)',
  ];
  const curl = [
    `project=$(curl --fail-with-body -sS ${AUTH} -H 'Content-Type: application/json' \\`,
    `  ${shellWord(`${origin}/api/v1/projects`)} --data-binary ${shellWord(JSON.stringify(body))} |`,
    `  grep -o '"id":[0-9]*' | head -n 1 | cut -d : -f 2) && [ -n "$project" ] &&`,
    ...curlItems(origin, data, FRESH),
  ];
  return { python: `${python.join("\n")}\n`, curl: `${curl.join("\n")}\n` };
}

/** More items for a project that is there. */
export function importInto(origin: string, project: string, data: Data, how: PushOptions): Code {
  const python = [
    ...(data.kind === "zip" ? ["from pathlib import Path", ""] : []),
    "from labelwise import Client",
    "",
    `project = Client(${pythonLiteral(origin)}).project(${pythonLiteral(project)})  # the token is read from LABELWISE_TOKEN`,
    ...pythonItems(data, how),
    "print(report)",
  ];
  const curl = [`project=${shellWord(encodeURIComponent(project))}`, ...curlItems(origin, data, how)];
  return { python: `${python.join("\n")}\n`, curl: `${curl.join("\n")}\n` };
}

/** An export of a project into a file. */
export function exportOf(
  origin: string,
  project: string,
  chosen: { format: string; view: string; raw: boolean },
  file: string,
): Code {
  const raw = chosen.raw ? ", raw=True" : "";
  const asked = `format=${chosen.format}&view=${chosen.view}${chosen.raw ? "&raw=true" : ""}`;
  const python = [
    "from labelwise import Client",
    "",
    `project = Client(${pythonLiteral(origin)}).project(${pythonLiteral(project)})  # the token is read from LABELWISE_TOKEN`,
    `with open(${pythonLiteral(file)}, "wb") as file:`,
    `    file.writelines(project.export(format=${pythonLiteral(chosen.format)}, view=${pythonLiteral(chosen.view)}${raw}))`,
  ];
  const address = `${origin}/api/v1/projects/${encodeURIComponent(project)}/export?${asked}`;
  const curl = `curl --fail-with-body -sS ${AUTH} \\\n  -o ${shellWord(`./${file}`)} ${shellWord(address)}\n`;
  return { python: `${python.join("\n")}\n`, curl };
}

function pythonItems(data: Data, { create_classes, on_change }: PushOptions): string[] {
  const how = `${create_classes ? ", create_classes=True" : ""}${on_change === "replace" ? ', on_change="replace"' : ""}`;
  if (data.kind === "rows") {
    const rows = data.lines.map((line) => `    ${pythonLiteral(JSON.parse(line))},`);
    return ["rows = [", ...rows, "]", `report = project.push(rows${how})`];
  }
  if (data.kind === "file") {
    const map = data.map ? `, map=${pythonLiteral(data.map)}` : "";
    return [`report = project.push(${pythonLiteral(data.name)}${map}${how})`];
  }
  return [
    `file = Path(${pythonLiteral(data.name)})`,
    "stored, refused = project.upload(file.name, file.read_bytes())",
    ...rowsOfFiles(data),
    `report = project.push(rows${how})`,
  ];
}

/** Python that makes a row of each file in `stored`, labelled by its folder where that is one of the labels. */
function rowsOfFiles({ modality, labels }: { modality: string; labels: string[] }): string[] {
  const row = `{"key": each["name"], ${pythonLiteral(modality)}: each["id"]}`;
  if (!labels.length) return [`rows = [${row} for each in stored]`];
  return [
    `labels = ${pythonLiteral(labels)}`,
    `rows = [${row} for each in stored]`,
    "for row in rows:",
    `    folder = row["key"].split("/")[-2] if "/" in row["key"] else ""`,
    "    if folder in labels:",
    `        row["label"] = {"class": folder}`,
  ];
}

function curlItems(origin: string, data: Data, { create_classes, on_change }: PushOptions): string[] {
  const post = `curl --fail-with-body -sS ${AUTH}`;
  const items = (query: string): string =>
    `${shellWord(`${origin}/api/v1/projects/`)}"$project"${shellWord(`/items?${query}`)}`;
  const how = `create_classes=${create_classes}${on_change === "replace" ? "&on_change=replace" : ""}`;
  const lines = `-H 'Content-Type: ${LINES}' ${items(how)} --data-binary @-`;
  if (data.kind === "rows") return [`${post} ${lines} <<'${END}'`, ...data.lines, END];
  if (data.kind === "file") {
    const map = data.map ? `&map=${encodeURIComponent(data.map)}` : "";
    return [
      `${post} -H 'Content-Type: ${data.type}' ${items(`${how}${map}`)} \\`,
      `  --data-binary ${shellWord(`@./${data.name}`)}`,
    ];
  }
  const quoted = data.name.replaceAll("\\", "\\\\").replaceAll('"', '\\"');
  const program = [
    "import json, sys",
    'stored = json.load(sys.stdin)["media"]',
    ...rowsOfFiles(data),
    'sys.stdout.writelines(json.dumps(row) + "\\n" for row in rows)',
  ].join("\n");
  return [
    `${post} ${shellWord(`${origin}/api/v1/projects/`)}"$project"'/media' -F ${shellWord(`files=@"./${quoted}"`)} |`,
    `python3 -c ${shellWord(program)} |`,
    `${post} ${lines}`,
  ];
}
