// The row of tools under the answers, and the form of a flag.
import { html, nothing, type TemplateResult } from "lit";
import { type Keymap, keyName, keyOf } from "./keys";

export type Panel = "none" | "guidelines" | "why" | "history";

export interface Tools {
  panel: Panel;
  undoable: boolean;
  item: boolean; // whether one is on screen
  flagging: boolean;
  newGuidelines: boolean;
  keymap: Keymap;
  act: (kind: "undo" | "skip" | "flag" | "help" | "guidelines" | "why" | "history") => void;
  sendFlag: (note: string) => void;
}

export function toolbar(tools: Tools): TemplateResult {
  return html`<div class="tools" role="toolbar" aria-label="Tools">
      ${button(tools, "undo", "Undo", !tools.undoable)} ${button(tools, "skip", "Skip", !tools.item)}
      ${button(tools, "flag", "Flag", !tools.item)} ${panelButton(tools, "guidelines", "Guidelines")}
      ${panelButton(tools, "why", "Why this item")} ${panelButton(tools, "history", "Last answers")}
      ${button(tools, "help", "Keys", false)}
    </div>${tools.flagging && tools.item ? flagForm(tools) : nothing}`;
}

function button(tools: Tools, kind: "undo" | "skip" | "flag" | "help", name: string, off: boolean) {
  return html`<button type="button" class="quiet-button" ?disabled=${off} @click=${pressed(() => tools.act(kind))}>${name} <kbd>${keyName(keyOf(kind, tools.keymap))}</kbd></button>`;
}

function panelButton(tools: Tools, panel: "guidelines" | "why" | "history", name: string) {
  const changed = panel === "guidelines" && tools.newGuidelines;
  return html`<button type="button" class="quiet-button" aria-expanded=${tools.panel === panel} @click=${pressed(() => tools.act(panel))}>${name}
    ${changed ? html`<span class="dot" role="img" aria-label="changed"></span>` : nothing}<kbd>${keyName(keyOf(panel, tools.keymap))}</kbd></button>`;
}

// A click of the mouse leaves no focus behind: the next Space belongs to the page, not to this button.
const pressed = (act: () => void) => (event: MouseEvent) => {
  if (event.detail > 0) (event.currentTarget as HTMLElement).blur();
  act();
};

function flagForm(tools: Tools): TemplateResult {
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    const note = String(new FormData(event.target as HTMLFormElement).get("note") ?? "").trim();
    if (note) tools.sendFlag(note);
  };
  return html`<form class="flag-form" @submit=${send}><label>What should the manager know?
    <input name="note" maxlength="2000" autocomplete="off" required></label><button>Send the flag</button></form>`;
}
