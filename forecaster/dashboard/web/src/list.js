import { el, say, set } from "./dom.js";
import * as show from "./format.js";
import { onChoice, settings } from "./settings.js";
import { spark } from "./spark.js";

const overscan = 12; // rows kept above and below, so that Tab always finds the next one

// columns: key, title, hint, value to sort by, text to show.
const columns = (view) => [
  { key: "workload", title: "Workload", sort: (r) => r.workload },
  { key: "health", title: "State", sort: (r) => show.order.indexOf(r.health) },
  { key: "observed", title: "Load", hint: "The newest load observed", number: true, sort: (r) => r.observed, text: (r) => show.load(r.observed) },
  { key: "spark", title: "Trend", hint: "Four hours of load and the hour forecast" },
  { key: "replicas", title: "Replicas", hint: "Replicas asked for now", number: true, sort: (r) => r.replicas, text: (r) => show.count(r.replicas) },
  { key: "atLead", title: "At lead", hint: "Replicas asked for within the lead time", number: true, sort: (r) => view.atLead(r), text: (r) => show.count(view.atLead(r)) },
  { key: "skill", title: "Skill", hint: "1 is perfect, 0 no better than repeating the past", number: true, sort: (r) => r.skill, text: (r) => show.skill(r.skill) },
  { key: "coverage", title: "Coverage", hint: "How often the load stayed at or below the upper forecast, and how often it should have", number: true, sort: (r) => r.coverage?.measured, text: (r) => (r.coverage ? `${show.share(r.coverage.measured).replace(" %", "")} / ${show.share(r.coverage.level)}` : show.unknown) },
  { key: "age", title: "Age", hint: "Of the newest forecast", number: true, sort: (r) => (r.generatedAt ? -Date.parse(r.generatedAt) : undefined), text: (r) => show.span(view.age(r)) },
];

// List shows all workloads. Only the rows in sight are in the document.
export class List {
  #feed;
  #rows = new Map(); // name → {tr, row, at}
  #sorted = [];
  #sort = { key: "health", down: false };
  #search = "";
  #state = "";
  #off = [];
  #frame = 0;

  constructor(feed, main) {
    this.#feed = feed;
    this.columns = columns(this);
    this.#build(main);
    const later = () => this.#schedule();
    const again = () => this.#refresh();
    feed.addEventListener("rows", again);
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    const key = (event) => {
      if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName)) {
        event.preventDefault();
        this.search.focus();
      }
    };
    addEventListener("keydown", key);
    const ages = setInterval(later, 1000);
    this.#off = [
      () => feed.removeEventListener("rows", again),
      () => removeEventListener("scroll", later),
      () => removeEventListener("resize", later),
      () => removeEventListener("keydown", key),
      () => clearInterval(ages),
      onChoice(again),
    ];
    this.#refresh();
  }

  close() {
    cancelAnimationFrame(this.#frame);
    for (const off of this.#off) off();
  }

  atLead(row) {
    const i = this.#feed.leads.indexOf(Number(settings.lead));
    return i < 0 ? null : row.atLead[i];
  }

  age(row) {
    return row.generatedAt ? (this.#feed.now() - Date.parse(row.generatedAt)) / 1000 : null;
  }

  #build(main) {
    this.search = el("input", { type: "search", placeholder: "Search workloads", title: "Press / to search", "aria-label": "Search workloads", autocomplete: "off", spellcheck: "false" });
    this.search.addEventListener("input", () => {
      this.#search = this.search.value.trim().toLowerCase();
      this.#refresh();
    });
    this.chips = el("div", { class: "chips", role: "group", "aria-label": "Filter by state" });
    this.found = el("p", { class: "found", role: "status" });
    this.order = el("select", { "aria-label": "Sort by" }, this.columns.filter((c) => c.sort).map((c) => new Option(`By ${c.title.toLowerCase()}`, c.key)));
    this.order.addEventListener("change", () => this.#by(this.order.value, false));
    this.heads = this.columns.map((c) => this.#head(c));
    this.top = el("tr", { class: "space", "aria-hidden": "true" }, el("td", { colspan: this.columns.length }));
    this.bottom = el("tr", { class: "space", "aria-hidden": "true" }, el("td", { colspan: this.columns.length }));
    this.body = el("tbody", { role: "rowgroup" }, this.top, this.bottom);
    this.table = el("table", { class: "list", role: "table" },
      el("caption", { class: "hidden" }, "Workloads, their forecasts and replicas"),
      el("thead", { role: "rowgroup" }, el("tr", { role: "row", "aria-rowindex": 1 }, this.heads)), this.body);
    this.empty = el("div", { class: "empty", hidden: true });
    this.tools = el("div", { class: "tools" }, this.search, el("span", { class: "order" }, this.order), this.chips, this.found);
    main.replaceChildren(
      el("h2", { class: "hidden" }, "Workloads"),
      this.tools,
      this.table, this.empty);
  }

  #title(column) {
    return column.key === "atLead" ? `In ${settings.lead / 60} min` : column.title;
  }

  #head(column) {
    if (!column.sort) return el("th", { role: "columnheader", scope: "col", title: column.hint, class: column.key }, column.title);
    return el("th", { role: "columnheader", scope: "col", class: `${column.key}${column.number ? " number" : ""}`, title: column.hint },
      el("button", { type: "button", onclick: () => this.#by(column.key, this.#sort.key === column.key && !this.#sort.down) }, column.title));
  }

  #by(key, down) {
    this.#sort = { key, down };
    this.#refresh();
  }

  // refresh sorts and filters anew.
  #refresh() {
    const column = this.columns.find((c) => c.key === this.#sort.key);
    const sign = this.#sort.down ? -1 : 1;
    const all = [...this.#feed.rows.values()];
    const named = all.filter((r) => r.workload.toLowerCase().includes(this.#search));
    this.#sorted = named.filter((r) => !this.#state || r.health === this.#state);
    this.#sorted.sort((a, b) => {
      const [x, y] = [column.sort(a), column.sort(b)];
      const [lacks, other] = [x === undefined || x === null, y === undefined || y === null];
      if (lacks || other) return lacks - other || (a.workload < b.workload ? -1 : 1); // unknown last, either way
      return sign * (x < y ? -1 : x > y ? 1 : 0) || (a.workload < b.workload ? -1 : 1);
    });
    this.order.value = this.#sort.key;
    say(this.heads[5].firstChild, this.#title(this.columns[5]));
    this.columns.forEach((c, i) => c.sort && set(this.heads[i], { "aria-sort": c.key === this.#sort.key ? (this.#sort.down ? "descending" : "ascending") : "none" }));
    this.#paintChips(named);
    this.#paintEmpty(all.length);
    set(this.table, { "aria-rowcount": this.#sorted.length + 1 });
    this.#draw();
  }

  #paintChips(named) {
    const counts = new Map();
    for (const r of named) counts.set(r.health, (counts.get(r.health) ?? 0) + 1);
    const wanted = ["", ...show.order.filter((h) => counts.has(h) || h === this.#state)];
    const key = wanted.join();
    if (this.chips.dataset.key !== key) {
      this.chips.dataset.key = key;
      this.chips.replaceChildren(...wanted.map((h) => el("button", { type: "button", class: h && `chip ${h}`, "data-state": h, title: show.meanings[h],
        onclick: () => { this.#state = this.#state === h ? "" : h; this.#refresh(); } }, el("span"), " ", el("b"))));
    }
    for (const chip of this.chips.children) {
      const h = chip.dataset.state;
      say(chip.children[0], h ? show.words[h] : "All");
      say(chip.children[1], show.count(h ? (counts.get(h) ?? 0) : named.length));
      set(chip, { "aria-pressed": String(this.#state === h) });
    }
  }

  #paintEmpty(all) {
    const none = this.#sorted.length === 0;
    this.empty.hidden = !none;
    this.tools.hidden = none && all === 0;
    this.table.hidden = none;
    say(this.found, this.#search || this.#state ? `${show.count(this.#sorted.length)} of ${show.count(all)} workloads` : "");
    const kind = none ? `${this.#feed.loaded} ${all === 0} ${this.#feed.state}` : "";
    if (this.empty.dataset.kind === kind) return; // or what is focused in it would be lost
    this.empty.dataset.kind = kind;
    if (!none) return;
    if (!this.#feed.loaded) {
      this.empty.replaceChildren(el("p", {}, this.#feed.state === "lost" ? "The forecaster does not answer. Trying again…" : "Loading…"));
    } else if (all === 0) {
      this.empty.replaceChildren(
        el("h3", {}, "No workload yet"),
        el("p", {}, "This forecaster has nothing to forecast. Name a workload in its environment and start it again:"),
        el("pre", { tabindex: "0", "aria-label": "Example configuration" }, "WORKLOADS=shop/checkout\nPROMETHEUS_URL=http://prometheus:9090\nWORKLOAD_SHOP_CHECKOUT_QUERY=sum(rate(http_requests_total{app=\"checkout\"}[1m]))\nWORKLOAD_SHOP_CHECKOUT_TARGET_PER_POD=100"),
        el("p", {}, el("small", {}, "With SHARD_COUNT, other shards may have all the workloads there are.")));
    } else {
      this.empty.replaceChildren(el("p", {}, "No workload matches. "), el("button", { type: "button", onclick: () => {
        this.search.value = this.#search = this.#state = "";
        this.#refresh();
        this.search.focus();
      } }, "Show all"));
    }
  }

  #schedule() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  // draw puts the rows in sight into the document and takes the others out.
  #draw() {
    const height = matchMedia("(max-width: 760px)").matches ? 104 : 44; // as in style.css
    const above = Math.max(0, -this.body.getBoundingClientRect().top);
    const first = Math.max(0, Math.floor(above / height) - overscan);
    const last = Math.min(this.#sorted.length, Math.ceil((above + innerHeight) / height) + overscan);
    const wanted = new Set();
    let before = this.top;
    for (let i = first; i < last; i++) {
      const row = this.#sorted[i];
      wanted.add(row.workload);
      const tr = this.#row(row, i);
      if (before.nextSibling !== tr) before.after(tr);
      before = tr;
    }
    for (const [name, held] of this.#rows) {
      if (wanted.has(name)) continue;
      held.tr.remove();
      this.#rows.delete(name);
    }
    this.top.firstChild.style.height = `${first * height}px`;
    this.bottom.firstChild.style.height = `${(this.#sorted.length - last) * height}px`;
    this.top.hidden = first === 0;
    this.bottom.hidden = last === this.#sorted.length;
  }

  #row(row, index) {
    let held = this.#rows.get(row.workload);
    if (!held) {
      held = { tr: this.#newRow(row) };
      this.#rows.set(row.workload, held);
    }
    set(held.tr, { "aria-rowindex": index + 2 });
    this.columns.forEach((c, i) => {
      if (!c.text) return;
      say(held.tr.children[i].firstChild, this.#title(c));
      say(held.tr.children[i].lastChild, c.text(row));
    });
    if (held.row !== row) {
      held.row = row;
      held.tr.children[1].firstChild.className = `badge ${row.health}`;
      say(held.tr.children[1].firstChild, show.words[row.health]);
      set(held.tr.children[1], { title: row.reason ?? row.modeReason ?? show.meanings[row.health] });
      const why = ["silent", "stale", "failing"].includes(row.health) ? (row.reason ?? show.meanings[row.health]) : "";
      const link = held.tr.children[0].firstChild;
      link.classList.toggle("troubled", why !== "");
      say(link.lastChild, show.zoned(why, row.generatedAt));
      held.tr.children[3].replaceChildren(spark(row));
    }
    return held.tr;
  }

  #newRow(row) {
    const [namespace, name] = row.workload.split("/");
    return el("tr", { role: "row" }, this.columns.map((c) => {
      if (c.key === "workload") {
        return el("th", { role: "rowheader", scope: "row", class: c.key }, el("a", { href: `#/w/${row.workload}` }, el("span", {}, el("small", {}, `${namespace}/`), name), el("small", { class: "why" })));
      }
      const inner = c.key === "health" ? el("span", { class: "badge" }) : c.text ? el("span", { class: "value" }) : null;
      return el("td", { role: "cell", class: `${c.key}${c.number ? " number" : ""}` }, c.text && el("span", { class: "name", "aria-hidden": "true" }, c.title), inner);
    }));
  }
}
