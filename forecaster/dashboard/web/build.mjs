// Bundles src into ../assets. Run by scripts/page.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const out = new URL("../assets/", import.meta.url);
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  entryPoints: { app: "src/main.js", style: "src/style.css" },
  outdir: out.pathname,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  legalComments: "none", // the licence is in licenses.txt
  logLevel: "warning",
});
copyFileSync("src/index.html", new URL("index.html", out));
copyFileSync("src/icon.svg", new URL("icon.svg", out));
const licence = readFileSync("node_modules/uplot/LICENSE", "utf8");
writeFileSync(new URL("licenses.txt", out), `app.js contains uPlot (https://github.com/leeoniya/uPlot):\n\n${licence}`);
