import { svg } from "./dom.js";

const width = 120;
const height = 28;
const past = 48;
const all = 60;

// spark draws the load of the last hours and the forecast of the next one. It
// is an ornament: the numbers beside it say what counts.
export function spark(row) {
  const known = [...row.past, ...row.ahead].filter((v) => v !== null);
  const image = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, class: "spark", "aria-hidden": "true", focusable: "false" });
  if (known.length === 0) return image;
  const high = Math.max(...known);
  const low = Math.min(...known, high * 0.98);
  const y = (v) => height - 3 - ((v - low) / (high - low || 1)) * (height - 6);
  const line = (values, from, name) => {
    let d = "";
    let pen = "M";
    values.forEach((v, i) => {
      if (v === null) {
        pen = "M";
        return;
      }
      d += `${pen}${(((from + i) * width) / all).toFixed(1)} ${y(v).toFixed(1)}`;
      pen = "L";
    });
    if (d) image.append(svg("path", { d, class: name }));
  };
  line(row.past, 0, "seen");
  line(row.ahead, past, "ahead");
  return image;
}
