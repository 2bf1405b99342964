// Sections stay as they were left, in every page of their kind.

const KEY = "folds";

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export function setUpFolds() {
  const known = remembered();
  for (const section of document.querySelectorAll("details[data-fold]")) {
    const name = section.dataset.fold;
    if (name in known) section.open = known[name];
    section.addEventListener("toggle", () => {
      localStorage.setItem(KEY, JSON.stringify({ ...remembered(), [name]: section.open }));
    });
  }
}
