// What was said about an item, version by version, with who and when.
import { html, nothing, type TemplateResult } from "lit";
import { count } from "./figures";
import { labelWords } from "./label-words";
import type { LabelView } from "./serving";

export interface VersionView {
  id: number;
  answer: string; // the same for all versions of one answer
  version: number;
  label: LabelView;
  annotator: string | null;
  origin: string;
  retracted: boolean;
  decisive: boolean;
  created_at: string;
}

export const moment = (written: string): TemplateResult =>
  html`<time datetime=${written} title=${written}>${new Date(written).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" })}</time>`;

/** Newest first; nothing where every answer has one version alone. */
export function versionList(versions: VersionView[]): TemplateResult | typeof nothing {
  if (!versions.some((each) => each.version > 1)) return nothing;
  return html`<details class="versions"><summary>${count(versions.length)} versions</summary>
    <ol class="plain">${versions.map(
      (
        each,
      ) => html`<li><strong class="long few-lines">${each.retracted ? "taken back" : labelWords(each.label) || "no class"}</strong>
        <span class="quiet">${each.annotator ?? each.origin}, ${moment(each.created_at)}, version ${each.version}${each.decisive && !each.retracted ? ", a manager's word" : ""}</span></li>`,
    )}</ol></details>`;
}
