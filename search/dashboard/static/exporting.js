// Asks the service for a bundle and says how far it is; there is a button only where one serves.
const EVERY_MS = 1000;

export function watchExport() {
  document.querySelectorAll("[data-export]").forEach((button) => {
    const state = document.getElementById("export-state");
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await make(button.dataset.export, state);
      } catch (error) {
        state.textContent = error.message;
      }
      button.disabled = false;
    });
  });
}

async function make(url, state) {
  let bundle = await ask(url, { method: "POST" });
  while (bundle.state === "running") {
    state.textContent = "exporting";
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    bundle = await ask(url, {});
  }
  if (bundle.state === "failed") throw new Error(bundle.message);
  const link = document.createElement("a");
  link.href = `${url}/bundle.zip`;
  link.textContent = "Download the bundle";
  state.replaceChildren(link);
}

async function ask(url, options) {
  const answer = await fetch(url, { ...options, headers: { "Content-Type": "application/json" } });
  const document = await answer.json();
  if (!answer.ok) throw new Error(document.detail ?? `the service answered ${answer.status}`);
  return document;
}
