// Draws the figures of a page, and follows a study: once a second it asks whether its version is
// still the one shown. Only what differs is drawn or replaced, so that a reader loses neither
// place nor zoom.
const EVERY_MS = 1000;
const PATIENCE_MS = 10000;

const page = document.body.dataset;
const shown = new Map(); // The text of each figure that is drawn.
let version = null;

export async function follow(selection) {
  document.querySelectorAll("[data-height]").forEach((plot) => {
    plot.style.minHeight = `${plot.dataset.height}px`;
  });
  if (!page.figures) return;
  await update(selection);
  if (!("live" in page)) return;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    if (!document.hidden) await update(selection);
  }
}

async function update(selection) {
  try {
    const news = await (await get(address())).json();
    if (news.version === version) return say("live");
    drawAll(news.figures, selection);
    // The page was rendered before its figures: it may be older than they are.
    if (news.version !== page.version) await replaceParts(selection);
    page.version = version = news.version;
    say("live");
  } catch (error) {
    say("lost");
  }
}

function address() {
  const url = new URL(page.figures, location.href);
  if (version !== null) url.searchParams.set("version", version);
  return url;
}

async function get(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
  return answer;
}

function drawAll(figures, selection) {
  for (const [name, figure] of Object.entries(figures)) {
    const element = document.getElementById(`plot-${name}`);
    const text = JSON.stringify(figure);
    if (!element || shown.get(name) === text) continue;
    const first = !shown.has(name);
    shown.set(name, text);
    element.classList.remove("waiting");
    element.style.minHeight = "";
    if (element.dataset.drag) figure.layout.dragmode = element.dataset.drag;
    drawFigure(element, figure).then(() => first && selection.watchPlot(element));
  }
}

async function replaceParts(selection) {
  const text = await (await get(location.href)).text();
  const fresh = new DOMParser().parseFromString(text, "text/html");
  document.querySelectorAll("[data-part]").forEach((part) => {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other && other.innerHTML !== part.innerHTML) swap(part, other);
  });
  selection.show();
}

// Keeps the keyboard's place and how far a table was scrolled.
function swap(part, other) {
  const focused = part.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  const left = part.querySelector(".scroll")?.scrollLeft;
  part.replaceChildren(...other.childNodes);
  if (left) part.querySelector(".scroll").scrollLeft = left;
  if (focused) part.querySelector(focused)?.focus({ preventScroll: true });
}

function nameOf(element) {
  if (element.dataset.trial) return `[data-trial="${element.dataset.trial}"]`;
  const href = element.getAttribute("href");
  return href ? `a[href="${CSS.escape(href)}"]` : ".scroll";
}

function say(state) {
  const pulse = document.getElementById("pulse");
  const words = { live: "live" in page ? "live" : "", lost: "no connection, trying again" }[state];
  if (pulse.textContent === words) return;
  pulse.textContent = words;
  pulse.className = `pulse ${words ? state : ""}`;
}
