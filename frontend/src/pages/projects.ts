// The projects page comes whole from the server; this draws the sparklines and opens the demo.
import { render } from "lit";
import { sparkline } from "../lib/charts";
import { message, send } from "../lib/http";

for (const place of document.querySelectorAll<HTMLElement>(".spark")) {
  render(sparkline(JSON.parse(place.dataset.values ?? "[]"), place.dataset.label ?? ""), place);
}

document.getElementById("make-demo")?.addEventListener("click", async () => {
  const said = document.getElementById("demo-said") as HTMLElement;
  said.textContent = "Making the demo.";
  try {
    const { url } = (await send("POST", "/demo")).value as { url: string };
    location.assign(url);
  } catch (error) {
    said.textContent = message(error);
  }
});
