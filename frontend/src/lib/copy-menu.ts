// The menu beside a main button: the code that does what the form says now, to look at and to copy.
import { html, nothing, type TemplateResult } from "lit";
import type { Code } from "./copy-as";
import { copy } from "./http";

export interface CopyMenu {
  open: keyof Code | null;
  said: string;
}

/** What the code needs beside it: rows that are too many to stand in it, as a file to save. */
export interface Beside {
  name: string;
  text: string;
}

const NAMES: Record<keyof Code, string> = { python: "Python", curl: "curl" };
const MOST_ROWS = 24;

/** `code` is asked only while the menu is open; a text says what the form still lacks. */
export function copyMenu(
  menu: CopyMenu,
  code: () => { code: Code; beside: Beside | null } | string,
  redraw: () => void,
): TemplateResult {
  const toggle = (name: keyof Code) => () => {
    Object.assign(menu, { open: menu.open === name ? null : name, said: "" });
    redraw();
  };
  return html`<section class="copy-as" aria-label="Copy as code">
    ${(Object.keys(NAMES) as (keyof Code)[]).map((name) => html`<button type="button" class="secondary" aria-expanded=${menu.open === name} @click=${toggle(name)}>Copy as ${NAMES[name]}</button>`)}
    ${menu.open ? shown(menu, menu.open, code(), redraw) : nothing}</section>`;
}

function shown(
  menu: CopyMenu,
  name: keyof Code,
  found: { code: Code; beside: Beside | null } | string,
  redraw: () => void,
): TemplateResult {
  if (typeof found === "string") return html`<p role="status">${found}</p>`;
  const text = found.code[name];
  const take = async (event: Event): Promise<void> => {
    const area = (event.target as HTMLElement).closest(".copy-as")?.querySelector("textarea") as HTMLTextAreaElement;
    menu.said = (await copy(text, area))
      ? "Copied."
      : "This browser copies nothing here: press Ctrl+C, the code is selected.";
    if (menu.said !== "Copied.") area.select();
    redraw();
  };
  const rows = Math.min(MOST_ROWS, text.split("\n").length);
  return html`<label>${NAMES[name]}, with the token in <code>LABELWISE_TOKEN</code>
      <textarea readonly spellcheck="false" rows=${rows} .value=${text}></textarea></label>
    ${found.beside ? html`<p>The rows are too many to stand in it: <button type="button" class="secondary" @click=${save(found.beside)}>Save ${found.beside.name}</button> beside it first.</p>` : nothing}
    <p><button type="button" @click=${take}>Copy</button> <span role="status">${menu.said}</span></p>`;
}

const save =
  ({ name, text }: Beside) =>
  (): void => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
