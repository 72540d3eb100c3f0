// The quiet line above the item: today, the goal, the round, and whether everything is saved.
import { html, nothing, type TemplateResult } from "lit";
import type { Outbox } from "./outbox";

export interface Standing {
  today: number;
  labels: number | null; // of the whole project; null before it is known
  goal: number | null;
  round: number | null;
}

export function progressBar(standing: Standing, outbox: Outbox): TemplateResult {
  return html`<div class="annotate-bar">
      <span>Today ${standing.today}</span><span class="wide">${towards(standing)}</span>
      ${standing.round ? html`<span class="wide">Round ${standing.round}</span>` : nothing}
      <span role="status" class=${outbox.offline ? "saved late" : "saved"}>${saved(outbox)}</span>
    </div>`;
}

function towards({ labels, goal }: Standing): string {
  if (labels === null) return "";
  const counted = labels.toLocaleString("en");
  return goal
    ? `${counted} of ${goal.toLocaleString("en")} labels`
    : `${counted} ${labels === 1 ? "label" : "labels"} in all`;
}

function saved({ waiting, offline, stranger }: Outbox): string {
  if (waiting < 0) return "";
  if (stranger) return `Somebody else is signed in: ${waiting} kept here`;
  if (offline) return `Offline: ${waiting} kept here`;
  return waiting === 0 ? "Saved" : `${waiting} waiting`;
}
