// A label of any kind of question in a few words, as lists and the history show it.
import { type LabelView, names } from "./serving";

const TEXT_SHOWN = 60;

export function labelWords(label: LabelView): string {
  if (label.fields) return formWords(label.fields);
  if (label.unanswerable) return "cannot be answered";
  if (label.value !== undefined) return String(label.value);
  if (label.ranking) return label.ranking.map((place) => place + 1).join(" > ");
  if (label.text !== undefined) return shortened(label.text);
  return names(label).join(", ");
}

const formWords = (fields: Record<string, LabelView>): string =>
  Object.entries(fields)
    .map(([name, label]) => `${name}: ${labelWords(label)}`)
    .join("; ");

export function shortened(text: string): string {
  const letters = [...text];
  return `“${letters.length > TEXT_SHOWN ? `${letters.slice(0, TEXT_SHOWN).join("")} …` : text}”`;
}
