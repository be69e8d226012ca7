// Draws the figures that Python made: in the report's one file, and in the dashboard's pages.
"use strict";

const drawFigure = (function () {
  const drawn = new Set();
  const touch = window.matchMedia("(pointer: coarse)").matches;

  function ink() {
    return getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
  }

  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () {
    drawn.forEach(function (element) {
      Plotly.relayout(element, { "font.color": ink() });
    });
  });

  // Into `element`, anew or in place; a reader's zoom stays where the layout has a uirevision.
  return function (element, figure) {
    drawn.add(element);
    figure.layout.font = Object.assign({}, figure.layout.font, { color: ink() });
    if (touch) {
      figure.layout.dragmode = false; // a swipe scrolls the page
    }
    return Plotly.react(element, figure.data, figure.layout,
      { responsive: true, displayModeBar: false });
  };
})();

document.querySelectorAll("script[data-for]").forEach(function (script) {
  drawFigure(document.getElementById(script.dataset.for), JSON.parse(script.textContent));
});
