import { el, say } from "./dom.js";
import { Feed } from "./feed.js";
import { List } from "./list.js";
import { controls } from "./settings.js";
import { Workload } from "./workload.js";

controls();
const feed = new Feed();
const main = document.getElementById("main");
const live = document.getElementById("live");
const states = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Every 15 s",
  lost: "Not connected, trying again…",
};
const tell = () => {
  live.className = `live ${feed.state}`;
  say(live, states[feed.state]);
};
feed.addEventListener("state", tell);
tell();

let view;
let scrolled = 0;

// route shows what the address names: #/ or #/w/NAMESPACE/NAME.
function route(event) {
  if (location.hash === "#main") return;
  const found = /^#\/w\/([^/]+\/[^/]+)$/.exec(location.hash);
  if (view instanceof List) scrolled = scrollY;
  view?.close();
  if (found) {
    document.title = `${found[1]} · Kedastral`;
    view = new Workload(feed, main, found[1]);
    scrollTo(0, 0);
  } else {
    document.title = "Kedastral";
    view = new List(feed, main);
    scrollTo(0, scrolled);
  }
  if (event) main.focus({ preventScroll: true });
}

addEventListener("hashchange", route);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
route();
feed.start();
