// Two pictures over each other: a slider says how much of the upper one is seen.
export function watchPictures() {
  document.querySelectorAll("[data-viewer]").forEach((viewer) => {
    const slider = viewer.querySelector(".slider");
    const upper = slider.querySelector(".before");
    slider.querySelector("input").addEventListener("input", (event) => {
      slider.style.setProperty("--shown", `${event.target.value}%`);
    });
    viewer.querySelector(".sides").addEventListener("change", (event) => {
      upper.src = event.target.value;
      upper.alt = event.target.dataset.alt;
    });
  });
}
