// Lays what was and what is forecast over one axis, and judges the past.

// axis joins the report's steps and the snapshot's into one ascending list.
// Where a line has no step, undefined; where its step is unknown, null: the
// plot bridges the one and breaks at the other.
export function axis(report, snapshot) {
  const start = Date.parse(report.start) / 1000;
  const xs = new Set(report.observed.map((_, i) => start + i * report.stepSeconds));
  const from = snapshot ? Date.parse(snapshot.generatedAt) / 1000 : 0;
  snapshot?.values.forEach((_, i) => xs.add(from + i * snapshot.stepSeconds));
  const x = [...xs].sort((a, b) => a - b);
  const index = new Map(x.map((t, i) => [t, i]));
  const place = (values, first, step) => {
    const out = new Array(x.length).fill(undefined);
    values?.forEach((v, i) => {
      out[index.get(first + i * step)] = v;
    });
    return out;
  };
  return {
    x,
    past: (values) => place(values, start, report.stepSeconds),
    future: (values) => place(values, from, snapshot?.stepSeconds ?? 1),
  };
}

// within is, for each step, the most of the steps up to seconds later: what a
// scaler of that lead time asks for.
export function within(plan, stepSeconds, seconds) {
  const n = Math.max(1, Math.ceil(seconds / stepSeconds));
  return plan.map((_, i) => Math.max(...plan.slice(i, i + n)));
}

// asked is the most that a snapshot's plan has within so many seconds from an
// instant on, undefined where it has ended.
export function asked(snapshot, now, seconds) {
  const at = Math.max(0, (now - Date.parse(snapshot.generatedAt)) / 1000 / snapshot.stepSeconds);
  const plan = snapshot.desiredReplicas.slice(Math.floor(at), Math.max(Math.floor(at) + 1, Math.ceil(at + seconds / snapshot.stepSeconds)));
  return plan.length ? Math.max(...plan) : undefined;
}

// judge says how the forecasts made earlier fared, over the steps where both
// are known.
export function judge(report, lead) {
  const out = { steps: 0, error: 0, load: 0, below: 0, asked: 0, short: 0 };
  if (!lead) return out;
  report.observed.forEach((v, i) => {
    const [median, upper, replicas, needed] = [lead.median[i], lead.upper[i], lead.replicas[i], report.needed[i]];
    if (v !== null && median !== null) {
      out.steps++;
      out.error += Math.abs(v - median);
      out.load += v;
      if (upper !== null && v <= upper) out.below++;
    }
    if (replicas !== null && needed !== null) {
      out.asked++;
      if (replicas < needed) out.short++;
    }
  });
  return out;
}
