// Copy buttons: <button hidden data-copy="text" data-copied="Address copied">. Shown only where they can work.
const TOAST_MS = 4000;

function say(text) {
  const toasts = document.getElementById("toasts");
  if (!toasts) return;
  const toast = document.createElement("div");
  toast.className = "toast is-ok";
  toast.textContent = text;
  toasts.replaceChildren(toast);
  setTimeout(() => toast.remove(), TOAST_MS);
}

// navigator.clipboard is missing on plain http addresses other than this machine.
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy]");
  if (!button) return;
  const done = await copy(button.dataset.copy);
  button.focus();
  say(done ? button.dataset.copied : "This browser does not let us copy. Select the text and copy it by hand.");
});

const reveal = (root) => root.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });
reveal(document);
// Parts that htmx has swapped in.
document.addEventListener("htmx:after:swap", () => reveal(document));
