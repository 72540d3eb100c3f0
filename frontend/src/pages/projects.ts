// The projects page comes whole from the server; this draws the sparklines and opens the demo.
import { render } from "lit";
import { sparkline } from "../lib/charts";
import { call, message, send } from "../lib/http";

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

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-restore]")) {
  button.addEventListener("click", async () => {
    try {
      await call("POST", `/projects/${button.dataset.restore}/restore`);
      location.reload();
    } catch (error) {
      (document.getElementById("restore-said") as HTMLElement).textContent = message(error);
    }
  });
}
