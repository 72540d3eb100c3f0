// Looking into a ZIP of images, sounds or videos without unpacking it: names from its table of contents, and its first file.

export interface Entry {
  name: string;
  method: number; // 0 stored, 8 deflated
  packed: number;
  size: number;
  offset: number;
}

const END_RECORD = 0x06054b50;
const DIRECTORY_RECORD = 0x02014b50;
const LARGEST_TAIL = 65_557; // the end record with the longest comment
const LARGEST_DIRECTORY = 64_000_000;
const PREVIEW_BYTES = 20_000_000;
const TYPES: Record<string, string> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  wav: "audio/wav",
  flac: "audio/flac",
  ogg: "audio/ogg",
  mp3: "audio/mpeg",
  mp4: "video/mp4",
  m4v: "video/mp4",
  webm: "video/webm",
};

/** The kind of item that a file of an archive makes. */
export const modalityOf = (name: string): Kind => KINDS.find((kind) => typeOf(name)?.startsWith(`${kind}/`)) ?? "image";

const KINDS = ["image", "audio", "video"] as const;
export type Kind = (typeof KINDS)[number];

/** The images, the sounds or the videos in the archive, whichever are most.
 * Throws Error with words when it is not a ZIP, is cut off, or holds none. */
export async function mediaFiles(file: Blob): Promise<Entry[]> {
  const tail = view(await file.slice(-LARGEST_TAIL).arrayBuffer());
  const end = lastRecord(tail);
  if (end < 0) throw new Error("The file is not a ZIP archive, or it is cut off.");
  const size = tail.getUint32(end + 12, true);
  const start = tail.getUint32(end + 16, true);
  if (start + size > file.size || size > LARGEST_DIRECTORY) {
    // ZIP64: the server can read it; there is only nothing to show before.
    return [];
  }
  const directory = await file.slice(start, start + size).arrayBuffer();
  const found = entries(directory).filter(
    (entry) => typeOf(entry.name) !== null && !entry.name.startsWith("__MACOSX/"),
  );
  if (found.length === 0)
    throw new Error(
      "The ZIP holds no PNG, JPEG, WebP or GIF image, no WAV, FLAC, OGG or MP3 sound, and no MP4 or WebM video.",
    );
  const each = KINDS.map((kind) => found.filter(({ name }) => modalityOf(name) === kind));
  return each.reduce((most, files) => (files.length > most.length ? files : most));
}

/** The folder that a file lies in, which may be its class; empty at the top. */
export const folderOf = (name: string): string => name.split("/").slice(-2, -1)[0] ?? "";

/** An address under which the page can show one file of the archive; null when it is too large for a preview. */
export async function previewUrl(file: Blob, entry: Entry): Promise<string | null> {
  if (entry.size > PREVIEW_BYTES || (entry.method !== 0 && entry.method !== 8)) return null;
  const header = view(await file.slice(entry.offset, entry.offset + 30).arrayBuffer());
  const start = entry.offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  const packed = file.slice(start, start + entry.packed);
  const stream =
    entry.method === 0 ? packed.stream() : packed.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const bytes = await new Response(stream).arrayBuffer();
  return URL.createObjectURL(new Blob([bytes], { type: typeOf(entry.name) ?? "" }));
}

const typeOf = (name: string): string | null => TYPES[name.toLowerCase().split(".").pop() ?? ""] ?? null;
const view = (buffer: ArrayBuffer): DataView => new DataView(buffer);

function lastRecord(tail: DataView): number {
  for (let at = tail.byteLength - 22; at >= 0; at--) if (tail.getUint32(at, true) === END_RECORD) return at;
  return -1;
}

function entries(directory: ArrayBuffer): Entry[] {
  const found: Entry[] = [];
  const bytes = view(directory);
  let at = 0;
  while (at + 46 <= bytes.byteLength && bytes.getUint32(at, true) === DIRECTORY_RECORD) {
    const length = bytes.getUint16(at + 28, true);
    found.push({
      name: new TextDecoder().decode(directory.slice(at + 46, at + 46 + length)),
      method: bytes.getUint16(at + 10, true),
      packed: bytes.getUint32(at + 20, true),
      size: bytes.getUint32(at + 24, true),
      offset: bytes.getUint32(at + 42, true),
    });
    at += 46 + length + bytes.getUint16(at + 30, true) + bytes.getUint16(at + 32, true);
  }
  return found;
}
