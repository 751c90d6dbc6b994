// What the person chose stays in this browser's local storage; nothing is sent.
const defaults = { theme: "auto", zone: "local", lead: "300", window: "6h" };
const listeners = new Set();

export const settings = { ...defaults };
for (const name of Object.keys(defaults)) {
  try {
    settings[name] = localStorage.getItem(`kedastral.${name}`) ?? defaults[name];
  } catch {
    // Storage may be forbidden; then every visit starts with the defaults.
  }
}

export function choose(name, value) {
  settings[name] = value;
  try {
    localStorage.setItem(`kedastral.${name}`, value);
  } catch {
    // as above
  }
  for (const f of listeners) f(name);
}

export function onChoice(f) {
  listeners.add(f);
  return () => listeners.delete(f);
}

const local = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

export function zone() {
  return settings.zone === "local" ? local : settings.zone;
}

export function controls() {
  const select = (id, options, name) => {
    const node = document.getElementById(id);
    node.append(...options.map(([value, text]) => new Option(text, value)));
    if (![...node.options].some((o) => o.value === settings[name])) settings[name] = defaults[name];
    node.value = settings[name];
    node.addEventListener("change", () => choose(name, node.value));
  };
  const zones = (Intl.supportedValuesOf?.("timeZone") ?? []).filter((z) => z !== "UTC");
  select("zone", [["local", `Browser (${local})`], ["UTC", "UTC"], ...zones.map((z) => [z, z.replaceAll("_", " ")])], "zone");
  select("lead", [300, 600, 1800].map((s) => [String(s), `${s / 60} min`]), "lead");
  select("theme", [], "theme");
  const paint = () => {
    document.documentElement.dataset.theme = settings.theme;
  };
  onChoice((name) => name === "theme" && paint());
  paint();
}

// dark reports what is shown now.
export function dark() {
  if (settings.theme !== "auto") return settings.theme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

export function onColours(f) {
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", f);
  const off = onChoice((name) => name === "theme" && f());
  return () => {
    media.removeEventListener("change", f);
    off();
  };
}
