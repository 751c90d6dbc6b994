import { zone } from "./settings.js";

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 4 });
const plain = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const whole = new Intl.NumberFormat("en");
export const unknown = "–";

const known = (v) => v !== null && v !== undefined && Number.isFinite(v);

export function load(v) {
  if (!known(v)) return unknown;
  if (Math.abs(v) >= 1e6) return compact.format(v);
  return (Math.abs(v) >= 1000 ? whole : plain).format(Math.abs(v) >= 1000 ? Math.round(v) : v);
}

// alike tells all loads of a column with as many decimals as its largest needs.
export function alike(values) {
  const most = Math.max(...values.filter(known).map(Math.abs), 0);
  const digits = most >= 1000 || most === 0 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(most)) - 1);
  const fixed = new Intl.NumberFormat("en", { minimumFractionDigits: Math.min(digits, 6), maximumFractionDigits: Math.min(digits, 6) });
  return (v) => (known(v) && most < 1e6 ? fixed.format(v) : load(v));
}

export function count(v) {
  return known(v) ? whole.format(v) : unknown;
}

export function replicas(v) {
  return known(v) ? `${whole.format(v)} replica${v === 1 ? "" : "s"}` : unknown;
}

// share is 0.943 as 94 %.
export function share(v) {
  return known(v) ? `${Math.round(v * 100)} %` : unknown;
}

export function skill(v) {
  if (!known(v)) return unknown;
  const clipped = Math.abs(v) < 0.005 ? 0 : Math.max(-9.99, v);
  return `${v < -9.99 ? "<" : ""}${clipped.toFixed(2).replace("-", "−")}`;
}

export function span(seconds) {
  if (!known(seconds)) return unknown;
  const s = Math.max(0, Math.round(seconds));
  if (s < 90) return `${s} s`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min`;
  if (s < 36 * 3600) return `${(s / 3600).toFixed(1)} h`;
  return `${(s / 86400).toFixed(1)} d`;
}

// length is a span of time that was chosen, so a round one.
export function length(seconds) {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : span(seconds);
}

// range is a span of time ahead, in one unit.
export function range(from, to) {
  const [unit, name] = to % 60 ? [1, "s"] : to <= 90 * 60 ? [60, "min"] : [3600, "h"];
  return `${plain.format(from / unit)} – ${plain.format(to / unit)} ${name}`;
}

// Making a format costs more than using it.
const formats = new Map();
function format(options) {
  const key = zone() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone(), hourCycle: "h23", ...options }));
  return formats.get(key);
}

export const clock = (ms) => format({ hour: "2-digit", minute: "2-digit" }).format(ms);
export const instant = (ms) =>
  format({ year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" }).format(ms);
export const moment = (ms) => format({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(ms);

// zoned is the forecaster's text with its instants, which are UTC, told in the
// zone that the person chose. A bare hour is the next one after from.
export function zoned(text, from) {
  const told = text.replace(/(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)Z/g, (_, day, hour) => instant(Date.parse(`${day}T${hour}Z`)));
  if (!from || zone() === "UTC") return told;
  return told.replace(/\b(\d\d):(\d\d) UTC/g, (_, hour, minute) => {
    const at = new Date(from);
    at.setUTCHours(hour, minute, 0, 0);
    if (at < Date.parse(from)) at.setUTCDate(at.getUTCDate() + 1);
    return clock(at);
  });
}

export const words = {
  predictive: "Predictive",
  reactive: "Reactive",
  shadow: "Shadow",
  warming: "Warming up",
  failing: "Failing",
  stale: "Stale",
  silent: "No forecast",
};

export const meanings = {
  predictive: "The forecast acts.",
  reactive: "There is no forecast with proven skill, so the load observed now decides.",
  shadow: "The forecast is only watched; the load observed now decides.",
  warming: "The first forecast is being made.",
  failing: "The newest tick had a fault; the last forecast stands, or the load observed now decides.",
  stale: "The last forecast is too old to rely on.",
  silent: "There is nothing to forecast from.",
};

// order sorts what needs a person first.
export const order = ["silent", "stale", "failing", "warming", "reactive", "shadow", "predictive"];
