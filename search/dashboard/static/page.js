// Every page begins here: what is on it says which of the parts it needs.
import { follow } from "./live.js";
import { watchSelection } from "./selection.js";
import { watchExport } from "./exporting.js";
import { watchPictures } from "./pictures.js";

watchPictures();
watchExport();
const selection = watchSelection();
follow(selection);

document.querySelectorAll("[data-copy]").forEach((button) => {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  });
});

document.querySelectorAll("#filter input[type=checkbox], #filter select").forEach((input) => {
  input.addEventListener("change", () => input.form.requestSubmit());
});

// An address says only what differs from the plain page.
document.getElementById("filter")?.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) {
    if (value === "" || (name === "sort" && value === "score")) event.formData.delete(name);
  }
});
