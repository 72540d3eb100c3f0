// Bundles one script a page and the stylesheet into static/dist, under hashed names, with a manifest for the templates.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static", "dist");
const pages = readdirSync(join(here, "src", "pages")).map((name) => join(here, "src", "pages", name));

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: [...pages, join(here, "src", "app.css")],
  outdir: out,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  sourcemap: false,
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  metafile: true,
  logLevel: "warning",
});
const entries = Object.entries(metafile.outputs).filter(([, output]) => output.entryPoint);
const names = entries.map(([path, output]) => [basename(output.entryPoint).replace(/\.ts$/, ".js"), basename(path)]);
writeFileSync(join(out, "manifest.json"), JSON.stringify(Object.fromEntries(names), null, 1));
