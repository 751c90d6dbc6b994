import uPlot from "uplot";
import { el, say } from "./dom.js";
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
  #watch;

  constructor(spec) {
    this.#spec = spec;
    this.said = el("p", { class: "hidden", role: "status" });
    this.box = el("div", { class: "plot", tabindex: "0", role: "img" });
    this.node = el("figure", { class: "chart" }, el("figcaption", {}, el("h3", {}, spec.title), el("p", {}, spec.hint)), this.box, this.said);
    this.box.addEventListener("keydown", (event) => this.#move(event));
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
      padding: [10, 10, 0, 0],
      cursor: { sync: { key: "kedastral" }, drag: { x: false, y: false }, points: { size: 7 }, y: false },
      legend: { live: true, markers: { width: 3 } },
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.06] } },
      axes: [
        { ...axis, size: 32, space: 70, values: (u, splits) => splits.map((s, i) => this.#tick(s, i, splits)) },
        { ...axis, size: narrow ? 44 : 56, values: (u, splits) => splits.map((v) => this.#spec.axis(v)), incrs: this.#spec.whole ? [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000, 1000000] : undefined },
      ],
      series: [{ label: "Time", value: (_, v) => (v === null || v === undefined ? show.unknown : show.moment(v * 1000)) }, ...this.lines.map((l) => this.#line(l))],
      bands: this.lines.flatMap((l, i) => (l.low === undefined ? [] : [{ series: [i + 1, l.low + 1], fill: this.#pale(l) }])),
      hooks: { drawAxes: [(u) => this.#mark(u)] },
    };
    this.#plot = new uPlot(options, this.#data, this.box);
  }

  #tick(seconds, i, splits) {
    const text = show.clock(seconds * 1000);
    if (text !== "00:00" && !(i > 0 && seconds - splits[i - 1] >= 86400)) return text;
    return show.moment(seconds * 1000).replace(/,? \d\d:\d\d$/, "");
  }

  #line(l) {
    return {
      label: l.label,
      stroke: l.hidden ? "transparent" : colour(l.colour),
      width: l.width ?? 1.5,
      dash: l.dash,
      points: { show: false },
      paths: this.#spec.whole ? uPlot.paths.stepped({ align: 1 }) : undefined,
      value: (_, v) => this.#spec.value(v),
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
