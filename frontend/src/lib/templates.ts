// Beginnings for frequent questions: a name, the classes, and guidelines short enough that somebody reads them.

export interface Template {
  words: string; // what the choice says
  name: string;
  multiple: boolean;
  classes: string[];
  guidelines: string;
}

const rules = (...lines: string[]): string => lines.map((line) => `- ${line}`).join("\n");

export const TEMPLATES: Template[] = [
  {
    words: "Sentiment of texts",
    name: "Sentiment",
    multiple: false,
    classes: ["positive", "neutral", "negative"],
    guidelines: rules(
      "Judge what the writer feels, not what you think of it.",
      "Praise and complaint in one text: choose what weighs more; choose *neutral* where neither does.",
      "Irony counts as what it means.",
    ),
  },
  {
    words: "Topics of texts",
    name: "Topics",
    multiple: true,
    classes: ["politics", "economy", "science", "sports", "culture"],
    guidelines: rules(
      "Choose every topic that a part of the text is about, not what it only mentions.",
      "Nothing fits: skip it, or flag it with the topic that is missing.",
    ),
  },
  {
    words: "Spam or not",
    name: "Spam",
    multiple: false,
    classes: ["spam", "not spam"],
    guidelines: rules(
      "*spam* is what nobody asked for and many people got: advertising, fraud, chain letters.",
      "A newsletter that somebody subscribed to is *not spam*.",
      "Unsure: what would you want your own filter to do?",
    ),
  },
  {
    words: "Intent of messages",
    name: "Intent",
    multiple: false,
    classes: ["question", "order", "complaint", "cancellation", "thanks", "other"],
    guidelines: rules(
      "Choose what the writer wants to happen next.",
      "Two wishes in one message: the one that has to be answered first.",
      "A complaint with a question in it is a *complaint*.",
    ),
  },
  {
    words: "Sorting photos",
    name: "Photos",
    multiple: false,
    classes: ["people", "animals", "nature", "buildings", "food", "other"],
    guidelines: rules(
      "Choose what the photo was taken of: what is largest, sharpest, or in the middle.",
      "A person who is only passing by does not make it *people*.",
    ),
  },
];
