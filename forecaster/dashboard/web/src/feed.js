// The rows of all workloads, kept up to date. One request brings all of them,
// then a stream brings what changes; where there is no stream, the request is
// made again and again.
export class Feed extends EventTarget {
  rows = new Map();
  total = 0;
  leads = [];
  history = ""; // how far back what was published is remembered
  historySeconds = 0;
  longestSeconds = 0; // that a window of the past may be
  loaded = false;
  state = "connecting"; // live, polling, lost
  #revision = "";
  #epoch = "";
  #offset = 0; // the forecaster's clock less this machine's
  #source = null;
  #retry = 0;

  // now is the forecaster's clock, by which forecasts are dated.
  now() {
    return Date.now() + this.#offset;
  }

  // told is for who heard the forecaster's clock elsewhere: it need not run as
  // fast as this machine's, for a recording is replayed faster.
  told(now) {
    this.#offset = Date.parse(now) - Date.now();
  }

  async start() {
    clearTimeout(this.#retry);
    try {
      const response = await fetch("dashboard/workloads", { cache: "no-store" });
      if (!response.ok) throw new Error(`HTTP status ${response.status}`);
      this.#take(await response.json());
      this.#follow();
    } catch {
      this.#become("lost");
      this.#later(5000);
    }
  }

  #follow() {
    this.#source?.close();
    const source = new EventSource(`dashboard/events?since=${encodeURIComponent(this.#revision)}`);
    this.#source = source;
    source.addEventListener("open", () => this.#become("live"));
    source.addEventListener("rows", (event) => this.#take(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) {
        this.#become("lost"); // the browser tries again by itself
        return;
      }
      source.close(); // refused: there are too many streams, so ask now and then
      if (this.state !== "lost") this.#become("polling");
      this.#later(15000);
    });
  }

  #later(ms) {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.start(), ms);
  }

  #take(answer) {
    const epoch = answer.revision.split(".")[0];
    if (epoch !== this.#epoch) this.rows.clear(); // another process, perhaps with other workloads
    this.#epoch = epoch;
    this.#revision = answer.revision;
    this.told(answer.now);
    this.total = answer.total;
    this.leads = answer.leadSeconds;
    this.history = answer.history;
    this.historySeconds = answer.historySeconds;
    this.longestSeconds = answer.longestSeconds;
    const changed = new Set();
    for (const row of answer.rows) {
      this.rows.set(row.workload, row);
      changed.add(row.workload);
    }
    this.loaded = true;
    this.dispatchEvent(new CustomEvent("rows", { detail: changed }));
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state"));
  }
}
