import { Chart } from "./chart.js";
import { el, say, set } from "./dom.js";
import * as show from "./format.js";
import { asked, axis, judge, within } from "./past.js";
import { choose, onChoice, settings } from "./settings.js";

const windows = ["1h", "3h", "6h", "12h", "24h"];

// Workload shows one workload: what came, what is forecast, what was forecast
// before, the replicas, and why.
export class Workload {
  #feed;
  #name;
  #off = [];
  #abort = new AbortController();
  #begun = false;
  #busy = false;
  #again = false;
  #data = {};
  #row; // the feed's, of the time that the data is of

  constructor(feed, main, name) {
    this.#feed = feed;
    this.#name = name;
    this.#build(main);
    const changed = (event) => {
      if (event.detail.has(name) || !this.#begun) this.#load(); // the numbers at the top change with the words below
    };
    feed.addEventListener("rows", changed);
    const ages = setInterval(() => this.#head(), 1000);
    this.#off = [() => feed.removeEventListener("rows", changed), () => clearInterval(ages), onChoice((what) => (what === "window" || what === "lead" ? this.#load() : this.#paint()))];
    this.#head();
    if (feed.loaded) this.#load(); // or when it is: its row says what not to ask for
  }

  close() {
    this.#abort.abort();
    for (const off of this.#off) off();
    this.loads.close();
    this.counts.close();
  }

  #build(main) {
    this.badge = el("span", { class: "badge" });
    this.summary = el("p", { class: "summary" }, "Loading…");
    this.notice = el("div", { class: "notice", role: "alert", hidden: true });
    this.tiles = el("dl", { class: "tiles" });
    this.windows = el("div", { class: "chips", role: "group", "aria-label": "Time shown" }, windows.map((w) => el("button", { type: "button", "data-window": w, onclick: () => choose("window", w) }, w.replace("h", " h"))));
    this.kept = el("p", { class: "verdict", hidden: true });
    this.loads = new Chart({ title: "Load", hint: "What came, what is forecast, and what had been forecast before.", height: 300, axis: show.load, value: show.load });
    this.counts = new Chart({ title: "Replicas", hint: "What was asked for, and what the load then needed.", height: 220, axis: show.count, value: show.count, whole: true });
    this.verdict = el("p", { class: "verdict" });
    this.nothing = el("p", { class: "verdict", hidden: true }, "Nothing was observed in this time, and nothing is forecast.");
    this.numbers = el("details", {}, el("summary", {}, "The last hour and the forecast as numbers"), el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Numbers" }));
    this.numbers.addEventListener("toggle", () => this.#paintNumbers());
    this.why = el("div");
    this.words = el("details", { hidden: true }, el("summary", {}, "In words"), el("ul"));
    this.gate = el("div");
    this.events = el("div");
    const [namespace, name] = this.#name.split("/");
    main.replaceChildren(
      el("nav", { "aria-label": "Breadcrumb" }, el("a", { href: "#/" }, "← All workloads")),
      el("div", { class: "title" }, el("h2", {}, el("small", {}, `${namespace}/`), name), this.badge),
      this.summary, this.notice, this.tiles,
      el("section", { class: "card", "aria-label": "Charts" }, this.windows, this.kept, this.nothing, this.loads.node, this.counts.node, this.verdict, this.numbers),
      el("div", { class: "columns" },
        el("section", { class: "card" }, el("h3", {}, "Why this count"), this.why, this.words),
        el("div", {}, el("section", { class: "card" }, el("h3", {}, "May the forecast act?"), this.gate), el("section", { class: "card" }, el("h3", {}, "Changes of mode"), this.events))));
    this.#paintWindows();
  }

  #paintWindows() {
    for (const button of this.windows.children) set(button, { "aria-pressed": String(button.dataset.window === settings.window) });
  }

  // window is the time to show, in seconds.
  #window() {
    return Number.parseInt(settings.window, 10) * 3600;
  }

  // paintKept says so where less is remembered than is to be shown.
  #paintKept() {
    const { history, historySeconds: kept } = this.#feed;
    this.kept.hidden = this.#window() <= kept;
    const what = kept > 0 ? `History holds the last ${show.length(kept)}` : "Nothing that was forecast is remembered, only the load";
    say(this.kept, `${what}: HISTORY=${history}.`);
  }

  async #ask(path, bad) {
    const response = await fetch(`${path}workload=${encodeURIComponent(this.#name)}`, { signal: this.#abort.signal, cache: "no-store" });
    const body = await response.json();
    if (response.ok) return body;
    if (bad) throw new Error(body.detail ?? `HTTP status ${response.status}`);
    return null;
  }

  // load asks for everything anew, and once more if something changed
  // meanwhile.
  async #load() {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#begun = this.#busy = true;
    try {
      const row = this.#feed.rows.get(this.#name);
      // A forecast that is not given out is no fault of the page: do not ask for it.
      const silent = row && (row.state === "silent" || row.state === "warming");
      const [why, report, snapshot] = await Promise.all([
        this.#ask(`forecast/explain?lead=${settings.lead}s&`, true),
        this.#ask(`forecast/history?window=${Math.min(this.#window(), this.#feed.longestSeconds)}s&`, true),
        silent ? null : this.#ask("forecast/current?", false),
      ]);
      this.#data = { why, report, snapshot };
      this.#row = row && this.#newer(row);
      this.#feed.told(report.now);
      this.#complain("");
      this.#paint();
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#row = undefined;
      this.#head();
      this.#complain(error instanceof TypeError ? "The forecaster does not answer. What is shown may be old." : error.message);
    } finally {
      this.#busy = false;
      if (this.#again) {
        this.#again = false;
        this.#load();
      }
    }
  }

  // newer is the feed's row with what has just been asked for: the feed tells
  // it a second later, and the numbers at the top are those of the words below.
  #newer(row) {
    const { why, report, snapshot } = this.#data;
    const newer = { ...row, observed: why.observed, skill: why.skill, generatedAt: why.generatedAt, dataAt: why.dataAt };
    if (!snapshot) return newer;
    const now = Date.parse(report.now);
    const held = snapshot.skill?.coverage?.find((c) => c.level === row.coverage?.level);
    return { ...newer, replicas: asked(snapshot, now, 0), atLead: this.#feed.leads.map((ahead) => asked(snapshot, now, ahead)), coverage: held ?? row.coverage };
  }

  #complain(text) {
    this.notice.hidden = text === "";
    say(this.notice, text);
    if (text && !this.#data.why) say(this.summary, "");
  }

  #head() {
    const row = this.#row ?? this.#feed.rows.get(this.#name);
    if (!row) return;
    this.badge.className = `badge ${row.health}`;
    say(this.badge, show.words[row.health]);
    set(this.badge, { title: show.meanings[row.health] });
    const age = row.generatedAt ? (this.#feed.now() - Date.parse(row.generatedAt)) / 1000 : null;
    const data = row.dataAt ? (this.#feed.now() - Date.parse(row.dataAt)) / 1000 : null;
    const i = this.#feed.leads.indexOf(Number(settings.lead));
    const tiles = [
      ["Load observed", show.load(row.observed), row.metric],
      ["Replicas now", show.count(row.replicas), "asked for"],
      [`Within ${settings.lead / 60} min`, show.count(row.atLead[i]), "replicas, the most"],
      ["Skill", show.skill(row.skill), "0 is no better than the past"],
      ["Coverage", row.coverage ? show.share(row.coverage.measured) : show.unknown, row.coverage ? `should be ${show.share(row.coverage.level)}` : "not measured"],
      ["Forecast age", show.span(age), row.intervalSeconds ? `due every ${show.span(row.intervalSeconds)}` : "none yet"],
      ["Data age", show.span(data), `from ${row.source}`],
    ];
    if (this.tiles.children.length !== tiles.length) this.tiles.replaceChildren(...tiles.map(() => el("div", {}, el("dt"), el("dd", {}, el("b"), el("span")))));
    tiles.forEach(([name, value, note], k) => {
      const tile = this.tiles.children[k];
      say(tile.firstChild, name);
      say(tile.lastChild.firstChild, value);
      say(tile.lastChild.lastChild, note);
    });
  }

  #paint() {
    this.#paintWindows();
    this.#paintKept();
    this.#head();
    let { why } = this.#data;
    const { report, snapshot } = this.#data;
    if (!why) return;
    const ours = (text) => show.zoned(text, why.generatedAt);
    say(this.summary, ours(why.summary));
    why = { ...why, words: why.words?.map(ours), table: why.table?.map((l) => ({ ...l, value: ours(l.value), note: l.note && ours(l.note) })), reason: why.reason && ours(why.reason) };
    this.#paintCharts(report, snapshot);
    this.#paintWhy(why);
    this.#paintGate(why, snapshot);
    this.#paintEvents(report);
    this.#paintNumbers();
  }

  #paintCharts(report, snapshot) {
    const none = !snapshot && report.observed.every((v) => v === null) && report.leads.every((l) => l.median.every((v) => v === null));
    this.nothing.hidden = !none;
    for (const node of [this.loads.node, this.counts.node, this.verdict, this.numbers]) node.hidden = none;
    if (none) return;
    const on = axis(report, snapshot);
    const lead = report.leads.find((l) => l.aheadSeconds === Number(settings.lead));
    const now = Date.parse(snapshot?.generatedAt ?? report.now) / 1000;
    const quantile = (level) => snapshot?.quantiles?.find((q) => Math.abs(q.level - level) < 1e-9)?.values;
    const ahead = `${settings.lead / 60} min before`;
    const lines = [{ label: "Observed", values: on.past(report.observed), colour: "observed", width: 2 }];
    if (lead) {
      lines.push({ label: `Forecast ${ahead}`, values: on.past(lead.median), colour: "earlier", dash: [5, 4] });
      if (report.level) lines.push({ label: `p${+(report.level * 100).toFixed(1)} ${ahead}`, values: on.past(lead.upper), colour: "earlier", width: 0.75, low: lines.length - 1 });
    }
    if (snapshot) {
      let low = lines.length;
      lines.push({ label: "Forecast, p50", values: on.future(snapshot.values), colour: "forecast", width: 2, ahead: true });
      for (const level of [0.9, 0.95]) {
        const values = quantile(level);
        if (!values) continue;
        lines.push({ label: `p${level * 100}`, values: on.future(values), colour: "forecast", width: 0.75, low, ahead: true });
        low = lines.length - 1;
      }
    }
    this.loads.draw({ x: on.x, lines, now, label: `Load over time. ${this.#judgement(report, lead)} Use the arrow keys to read values.` });

    const asked = [{ label: "Needed by the load", values: on.past(report.needed), colour: "observed", width: 2 }];
    asked.push({ label: lead ? `Asked for, lead ${settings.lead / 60} min` : "Asked for", values: on.past(lead ? lead.replicas : report.replicas), colour: "forecast" });
    if (snapshot) {
      asked.push({ label: "Plan", values: on.future(within(snapshot.desiredReplicas, snapshot.stepSeconds, lead ? Number(settings.lead) : 0)), colour: "forecast", width: 2, ahead: true });
      if (snapshot.mode !== "predictive" && snapshot.forecastPlan) asked.push({ label: "Forecast's plan, not acted on", values: on.future(snapshot.forecastPlan), colour: "earlier", dash: [5, 4], ahead: true });
    }
    this.counts.draw({ x: on.x, lines: asked, now, label: "Replicas over time. Use the arrow keys to read values." });
    say(this.verdict, this.#judgement(report, lead));
  }

  // judgement is the verdict on the forecasts made earlier, in words.
  #judgement(report, lead) {
    const found = judge(report, lead);
    if (!lead) return "Forecasts do not reach this lead time yet, or none is remembered.";
    if (found.steps < 5) return "Too few forecasts are remembered to judge them; the page remembers from the forecaster's start on.";
    const minutes = settings.lead / 60;
    const mean = found.load > 0 ? ` (${show.share(found.error / found.load)} of the load)` : "";
    const stayed = report.level ? ` The load stayed at or below their p${+(report.level * 100).toFixed(1)} in ${show.share(found.below / found.steps)} of the steps.` : "";
    const short = found.asked ? ` Fewer replicas than needed were asked for in ${show.count(found.short)} of ${show.count(found.asked)} steps.` : "";
    return `In the time shown, forecasts made ${minutes} minutes before were off by ${show.load(found.error / found.steps)} on average${mean}.${stayed}${short}`;
  }

  #paintWhy(why) {
    const rows = (why.table ?? []).map((l) => el("tr", {}, el("th", { scope: "row" }, l.name), el("td", {}, el("b", {}, l.value), l.note && el("small", {}, l.note))));
    const warnings = (why.warnings ?? []).map((w) => el("li", { class: "warning" }, w));
    this.why.replaceChildren(
      warnings.length ? el("ul", { class: "warnings" }, warnings) : "",
      rows.length ? el("table", { class: "facts" }, el("caption", { class: "hidden" }, "Numbers that shaped the plan"), el("tbody", {}, rows)) : "");
    this.words.hidden = !why.words?.length; // kept, so that it stays open and focused
    this.words.lastChild.replaceChildren(...(why.words ?? []).map((w) => el("li", {}, w)));
  }

  #paintGate(why, snapshot) {
    const skill = snapshot?.skill;
    const verdict = { predictive: "Yes. It has skill over repeating the last value.", reactive: "No.", shadow: "No." }[why.mode] ?? "There is no forecast.";
    const error = show.alike((skill?.blocks ?? []).map((b) => b.meanAbsoluteErr));
    const from = (i) => (i === 0 ? 0 : skill.blocks[i - 1].toSeconds);
    this.gate.replaceChildren(
      el("p", {}, el("b", {}, verdict), why.modeReason ? ` ${why.modeReason[0].toUpperCase()}${why.modeReason.slice(1)}.` : ""),
      why.reason && why.state !== "forecasting" ? el("p", { class: "reason" }, `${why.reason}. `, why.next ? `What to do: ${why.next}.` : "") : "",
      skill?.blocks?.length ? el("table", { class: "figures" }, el("caption", {}, `Skill, from ${skill.origins} origins of the recent past`),
        el("thead", {}, el("tr", {}, ["Ahead", "Over last value", "Over last season", "Mean error"].map((h) => el("th", { scope: "col" }, h)))),
        el("tbody", {}, skill.blocks.map((b, i) => el("tr", {}, el("th", { scope: "row" }, show.range(from(i), b.toSeconds)), el("td", {}, show.skill(b.overLastValue)), el("td", {}, show.skill(b.overSeasonal)), el("td", {}, error(b.meanAbsoluteErr)))))) : "",
      skill?.coverage?.length ? el("table", { class: "figures" }, el("caption", {}, "How often the load stayed at or below"),
        el("thead", {}, el("tr", {}, ["Quantile", "Should", "Did"].map((h) => el("th", { scope: "col" }, h)))),
        el("tbody", {}, skill.coverage.map((c) => el("tr", {}, el("th", { scope: "row" }, `p${+(c.level * 100).toFixed(1)}`), el("td", {}, show.share(c.level)), el("td", {}, show.share(c.measured)))))) : "");
  }

  #paintEvents(report) {
    if (!report.events.length) {
      this.events.replaceChildren(el("p", {}, "None since the forecaster started."));
      return;
    }
    this.events.replaceChildren(el("ol", { class: "events" }, report.events.toReversed().slice(0, 12).map((e) =>
      el("li", {}, el("span", { class: `badge ${e.mode}` }, show.words[e.mode]), " ", el("time", { datetime: e.at }, show.instant(Date.parse(e.at))), e.reason && el("small", {}, e.reason)))));
  }

  // paintNumbers shows the charts' values as a table to those who open it.
  #paintNumbers() {
    const { report, snapshot } = this.#data;
    if (!this.numbers.open || !report) return;
    const start = Date.parse(report.start);
    const hour = Math.max(0, report.observed.length - Math.ceil(3600 / report.stepSeconds));
    const high = snapshot?.quantiles?.find((q) => Math.abs(q.level - 0.95) < 1e-9)?.values;
    const line = (at, ...cells) => el("tr", {}, el("th", { scope: "row" }, show.moment(at)), cells.map((c) => el("td", {}, c)));
    const past = report.observed.slice(hour).map((v, i) => line(start + (hour + i) * report.stepSeconds * 1000, show.load(v), show.unknown, show.unknown, show.count(report.replicas[hour + i]), show.count(report.needed[hour + i])));
    const next = (snapshot?.values ?? []).map((v, i) => line(Date.parse(snapshot.generatedAt) + i * snapshot.stepSeconds * 1000, show.unknown, show.load(v), show.load(high?.[i]), show.count(snapshot.desiredReplicas[i]), show.unknown));
    this.numbers.lastChild.replaceChildren(el("table", { class: "figures" },
      el("thead", {}, el("tr", {}, ["Time", "Observed", "Forecast", "p95", "Asked for", "Needed"].map((h) => el("th", { scope: "col" }, h)))), el("tbody", {}, past, next)));
  }
}
