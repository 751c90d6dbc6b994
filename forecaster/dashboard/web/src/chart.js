import uPlot from "uplot";
import { el, say, svg } from "./dom.js";
import * as show from "./format.js";
import { onColours, zone } from "./settings.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Chart is one plot over time: lines given as {label, values, colour, …}, a
// mark at now, values under the pointer or the arrow keys.
export class Chart {
  #spec;
  #data;
  #plot;
  #off;
  #hidden = new Set(); // labels of the lines that the person hid
  #watch;

  constructor(spec) {
    this.#spec = spec;
    this.said = el("p", { class: "hidden", role: "status" });
    this.box = el("div", { class: "plot", tabindex: "0", role: "img" });
    this.legend = el("ul", { class: "legend", "aria-label": `Lines of ${spec.title}, press one to hide it` });
    this.node = el("figure", { class: "chart" }, el("figcaption", {}, el("h3", {}, spec.title), el("p", {}, spec.hint)), this.box, this.legend, this.said);
    this.box.addEventListener("keydown", (event) => this.#move(event));
    this.box.addEventListener("blur", () => this.#plot?.setCursor({ left: -10, top: -10 }));
    this.#off = onColours(() => this.#make());
    this.#watch = new ResizeObserver(() => this.#plot?.setSize(this.#size()));
    this.#watch.observe(this.box);
  }

  close() {
    this.#off();
    this.#watch.disconnect();
    this.#plot?.destroy();
  }

  // draw shows x (Unix seconds) and the lines, whose labels may differ from
  // before.
  draw({ x, lines, now, label }) {
    this.box.setAttribute("aria-label", label);
    this.now = now;
    const shape = JSON.stringify([zone(), lines.map((l) => [l.label, l.colour, l.dash, l.low])]);
    this.#data = [x, ...lines.map((l) => l.values)];
    this.lines = lines;
    if (this.#plot && this.shape === shape) {
      this.#plot.setData(this.#data);
      this.#tell();
      return;
    }
    this.shape = shape;
    this.#make();
  }

  #size() {
    return { width: Math.max(240, this.box.clientWidth), height: this.#spec.height };
  }

  #make() {
    if (!this.#data || !this.box.isConnected) return;
    this.#plot?.destroy();
    const grid = { stroke: colour("grid"), width: 1 };
    const axis = { stroke: colour("muted"), grid, ticks: grid, font: "12px system-ui, sans-serif" };
    const narrow = this.box.clientWidth < 500;
    const options = {
      ...this.#size(),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone()),
      padding: [10, 22, 0, 0], // to the right, half of a time that stands at the edge
      cursor: { sync: { key: "kedastral" }, drag: { x: false, y: false }, points: { size: 7 }, y: false },
      legend: { show: false },
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.06] } },
      axes: [
        { ...axis, size: 32, space: 70, values: (u, splits) => splits.map((s, i) => this.#tick(s, i, splits)) },
        { ...axis, size: narrow ? 44 : 56, values: (u, splits) => splits.map((v) => this.#spec.axis(v)), incrs: this.#spec.whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000, 1000000] : undefined },
      ],
      series: [{}, ...this.lines.map((l) => this.#line(l))],
      bands: this.lines.flatMap((l, i) => (l.low === undefined ? [] : [{ series: [i + 1, l.low + 1], fill: this.#pale(l) }])),
      hooks: { drawAxes: [(u) => this.#mark(u)], setCursor: [() => this.#tell()] },
    };
    this.#plot = new uPlot(options, this.#data, this.box);
    this.legend.replaceChildren(el("li", { class: "when" }), ...this.lines.map((l, i) => this.#entry(l, i)));
    this.#tell();
  }

  // entry is a line's place in the legend: how it looks, its name, its value.
  #entry(line, i) {
    const swatch = svg("svg", { viewBox: "0 0 18 8", width: 18, height: 8, "aria-hidden": "true", focusable: "false" });
    swatch.append(svg("path", { d: "M0 4H18", stroke: colour(line.colour), "stroke-width": Math.max(1.25, line.width ?? 1.5), "stroke-dasharray": line.dash ? "5 3" : "none" }));
    const button = el("button", { type: "button", "aria-pressed": String(!this.#hidden.has(line.label)), onclick: () => {
      const shown = this.#hidden.delete(line.label);
      if (!shown) this.#hidden.add(line.label);
      this.#plot.setSeries(i + 1, { show: shown });
      button.setAttribute("aria-pressed", String(shown));
    } }, swatch, el("span", {}, line.label), el("b"));
    return el("li", {}, button);
  }

  // tell shows the values under the pointer, or else the newest of what was
  // and the first of what is forecast.
  #tell() {
    const at = this.#plot?.cursor.idx;
    const held = at !== null && at !== undefined;
    const known = (v) => v !== null && v !== undefined;
    const [when, ...entries] = this.legend.children;
    if (!when) return;
    say(when, held ? show.moment(this.#data[0][at] * 1000) : "Now");
    entries.forEach((entry, i) => {
      const { values, ahead } = this.lines[i];
      const v = held ? values[at] : ahead ? values.find(known) : values.findLast(known);
      say(entry.firstChild.lastChild, this.#spec.value(v));
    });
  }

  #tick(seconds, i, splits) {
    const text = show.clock(seconds * 1000);
    if (text !== "00:00" && !(i > 0 && seconds - splits[i - 1] >= 86400)) return text;
    return show.moment(seconds * 1000).replace(/,? \d\d:\d\d$/, "");
  }

  #line(l) {
    return {
      label: l.label,
      show: !this.#hidden.has(l.label),
      stroke: colour(l.colour),
      width: l.width ?? 1.5,
      dash: l.dash,
      points: { show: false },
      paths: this.#spec.whole ? uPlot.paths.stepped({ align: 1 }) : undefined,
    };
  }

  #pale(l) {
    return colour(`${l.colour}-pale`);
  }

  #mark(u) {
    const x = u.valToPos(this.now, "x", true);
    if (!(x >= u.bbox.left && x <= u.bbox.left + u.bbox.width)) return;
    const { ctx } = u;
    ctx.save();
    ctx.fillStyle = colour("future");
    ctx.fillRect(x, u.bbox.top, u.bbox.left + u.bbox.width - x, u.bbox.height);
    ctx.fillStyle = colour("muted");
    ctx.fillRect(x, u.bbox.top, devicePixelRatio, u.bbox.height);
    ctx.restore();
  }

  // move is the pointer for those who use keys.
  #move(event) {
    const u = this.#plot;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -Infinity, End: Infinity }[event.key];
    if (!u || steps === undefined) return;
    event.preventDefault();
    const x = u.data[0];
    const from = u.cursor.idx ?? x.findLastIndex((t) => t <= this.now);
    const at = Math.max(0, Math.min(x.length - 1, from + steps));
    u.setCursor({ left: u.valToPos(x[at], "x"), top: 10 });
    const parts = this.lines.map((l) => [l.label, l.values[at]]).filter(([, v]) => v !== null && v !== undefined);
    say(this.said, `${show.moment(x[at] * 1000)}: ${parts.map(([name, v]) => `${name} ${this.#spec.value(v)}`).join(", ") || "nothing known"}`);
  }
}
