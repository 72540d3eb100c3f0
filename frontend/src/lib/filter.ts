// The filter grammar of REST as the items page's address: parts joined by &, `name=value` or `name:<number`.

/** The parts of a filter by their written form, decoded for people. */
export interface Part {
  raw: string;
  name: string;
  value: string;
}

export class Filter {
  readonly parts: Part[];

  constructor(text: string) {
    this.parts = text
      .replace(/^\?/, "")
      .split("&")
      .filter(Boolean)
      .map((raw) => {
        const at = raw.indexOf("=");
        return at < 0
          ? { raw, name: decoded(raw), value: "" }
          : { raw, name: decoded(raw.slice(0, at)), value: decoded(raw.slice(at + 1)) };
      });
  }

  /** The first value of a name; "" where there is none. */
  get(name: string): string {
    return this.parts.find((part) => part.name === name)?.value ?? "";
  }

  /** The same filter with a name set to one value, or without it. */
  with(name: string, value: string): Filter {
    const others = this.parts.filter((part) => part.name !== name).map((part) => part.raw);
    const own = value ? [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`] : [];
    return new Filter([...others, ...own].join("&"));
  }

  without(raw: string): Filter {
    return new Filter(this.parts.flatMap((part) => (part.raw === raw ? [] : [part.raw])).join("&"));
  }

  toString(): string {
    return this.parts.map((part) => part.raw).join("&");
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text; // the server says what is wrong with it
  }
}
