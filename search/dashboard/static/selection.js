// Trials in a plot: a click opens one, box and lasso choose some. The table's boxes choose the
// same; what is chosen stands in the address.
const form = document.getElementById("compare");
const most = Number(form?.dataset.most);
const state = form?.querySelector("output");
let chosen = new Set(numbersIn(new URL(location.href).searchParams.get("selected")).slice(0, most));
let offered = 0;

export function watchSelection() {
  if (form) {
    document.addEventListener("change", (event) => {
      const number = event.target.dataset.trial;
      if (number === undefined) return;
      if (event.target.checked) choose([...chosen, Number(number)]);
      else choose([...chosen].filter((other) => other !== Number(number)));
    });
    document.getElementById("filter").addEventListener("formdata", (event) => {
      if (chosen.size) event.formData.set("selected", [...chosen].join(","));
    });
    form.querySelector("[data-clear]").addEventListener("click", () => choose([]));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      location.href = `${form.getAttribute("action")}?trials=${[...chosen].join(",")}`;
    });
    document.querySelectorAll("[data-tools]").forEach(watchTools);
  }
  show();
  return { watchPlot, show };
}

function watchPlot(element) {
  const trialsOf = (points) => points.map((point) => point.customdata).filter(Number.isInteger);
  const base = location.pathname.match(/^\/studies\/[^/]+/)?.[0];
  if (!base) return;
  element.on("plotly_click", (event) => {
    const [number] = trialsOf(event.points);
    if (number !== undefined) location.href = `${base}/trials/${number}`;
  });
  if (!form) return;
  element.on("plotly_selected", (event) => event && choose(trialsOf(event.points)));
}

function watchTools(group) {
  const plot = document.getElementById(group.dataset.tools);
  // A finger that drags scrolls the page until a tool is chosen.
  if (matchMedia("(pointer: coarse)").matches) {
    group.querySelector("[aria-pressed=true]").setAttribute("aria-pressed", "false");
  }
  group.addEventListener("click", (event) => {
    const drag = event.target.dataset.drag;
    if (!drag) return;
    group.querySelectorAll("button").forEach((button) => {
      button.setAttribute("aria-pressed", String(button === event.target));
    });
    plot.dataset.drag = drag;
    Plotly.relayout(plot, { dragmode: drag });
  });
}

// The best come first in a figure, so of too many the first are kept.
function choose(numbers) {
  const distinct = [...new Set(numbers)];
  offered = distinct.length;
  chosen = new Set(distinct.slice(0, most));
  history.replaceState(null, "", withChosen(location.href));
  show();
}

function withChosen(address) {
  const url = new URL(address);
  if (chosen.size) url.searchParams.set("selected", [...chosen].join(","));
  else url.searchParams.delete("selected");
  return url.href.replaceAll("%2C", ",");
}

function show() {
  if (!form) return;
  document.querySelectorAll("[data-trial]").forEach((box) => {
    box.checked = chosen.has(Number(box.dataset.trial));
  });
  // Another page of the table, or another filter, keeps what is chosen.
  document.querySelectorAll("[data-keeps]").forEach((link) => {
    link.href = withChosen(link.href);
  });
  const names = [...chosen].join(", ");
  const left = offered > most ? ` (${most} of the ${offered} chosen)` : "";
  state.textContent = chosen.size ? `Trials ${names}${left}` : `Choose two to ${most} trials.`;
  form.querySelector("button").disabled = chosen.size < 2;
  form.querySelector("[data-clear]").hidden = chosen.size === 0;
}

function numbersIn(text) {
  return (text ?? "").split(",").filter((word) => /^\d+$/.test(word)).map(Number);
}
