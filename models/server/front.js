/* MLflow's editor of a tag closes on a refusal, and what was typed is gone with it. Here it is opened again, as it was
   left, beside the server's sentence. */
(() => {
  const ROW = (key) => document.querySelector(`tr[data-row-key="${CSS.escape(key)}"]`);
  const INPUT = "[data-testid='editable-table-edited-input']";
  const EDIT = "[data-testid='editable-table-button-edit']";
  const LONGEST_MS = 5000;

  async function found(key, selector) {
    for (const end = Date.now() + LONGEST_MS; Date.now() < end; ) {
      const element = ROW(key)?.querySelector(selector);
      if (element) return element;
      await new Promise((resume) => setTimeout(resume, 20));
    }
    return null; // another page is shown by now
  }

  async function openAgain({ key, value }) {
    (await found(key, EDIT))?.click(); // it is there once the editor has closed
    const input = await found(key, INPUT);
    if (!input) return;
    // Not by `input.value = `, which React would not notice.
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, value);
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.focus();
  }

  const ask = window.fetch;
  window.fetch = async (address, options) => {
    let answer;
    try {
      return (answer = await ask(address, options));
    } finally {
      const isTag = String(address).endsWith("/mlflow/model-versions/set-tag");
      if (isTag && !answer?.ok) openAgain(JSON.parse(options.body));
    }
  };
})();

/* On a telephone MLflow's menu takes half of the width, so it is folded to its symbols, by MLflow's own button. */
(() => {
  const MENU = "aside";
  const FOLD = "[data-component-id='mlflow_header.toggle_sidebar_button']";
  const FOLDED_PX = 100;
  if (!matchMedia("(max-width: 640px)").matches) return;

  new MutationObserver((changes, observer) => {
    const menu = document.querySelector(MENU);
    const fold = menu?.querySelector(FOLD);
    if (!fold) return;
    observer.disconnect(); // once: whoever unfolds it wants it so
    if (menu.getBoundingClientRect().width > FOLDED_PX) fold.click();
  }).observe(document, { childList: true, subtree: true });
})();
