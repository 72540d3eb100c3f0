// Videos that load before they are shown: the elements themselves, so that what they hold is not asked for twice.

const ahead = new Map<string, HTMLVideoElement>();

/** Let these load, and let go of all that are neither among them nor in `kept`. A browser opens six connections to a
 * server, and a video may hold one: so ask for one or two. */
export function loadAhead(urls: string[], kept: string[]): void {
  for (const [url, video] of ahead) {
    if (urls.includes(url) || kept.includes(url)) continue;
    release(video);
    ahead.delete(url);
  }
  for (const url of urls) if (!ahead.has(url)) ahead.set(url, made(url));
}

/** The element that holds a video, or a new one; it is the caller's now. */
export function videoOf(url: string): HTMLVideoElement {
  const found = ahead.get(url);
  ahead.delete(url);
  return found ?? made(url);
}

/** Stop loading and give the memory back. */
export function release(video: HTMLVideoElement): void {
  video.pause();
  video.removeAttribute("src");
  video.load();
}

function made(url: string): HTMLVideoElement {
  const video = document.createElement("video");
  video.preload = "auto";
  video.src = url;
  return video;
}
