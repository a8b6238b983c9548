/* The pages of the desk: a finding is kept on the device before it is sent, so that nothing is lost without a network. */
(() => {
  const AGAIN_MS = 15000;
  const box = document.querySelector("#outbox");
  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  async function show() {
    const findings = await self.outbox.all();
    const waiting = findings.filter((finding) => !finding.refusal);
    box.replaceChildren();
    box.hidden = findings.length === 0;
    if (waiting.length) box.append(filled(box.dataset.waiting, { count: waiting.length }));
    for (const finding of findings.filter((each) => each.refusal)) {
      const line = document.createElement("p");
      const link = document.createElement("a");
      link.href = `/desk/cases/${finding.case}`;
      link.textContent = filled(box.dataset.case, { number: finding.case });
      const drop = document.createElement("button");
      drop.textContent = box.dataset.drop;
      drop.addEventListener("click", async () => {
        await self.outbox.drop(finding.key);
        await show();
      });
      line.append(link, ` ${filled(box.dataset.refused, { why: finding.refusal })} `, drop);
      box.append(line);
    }
  }

  const became = {}; // what this page has sent, by key: also what it sent by itself meanwhile

  async function flush() {
    Object.assign(became, await self.outbox.flush());
    await show();
  }

  const isWaiting = async (key) => (await self.outbox.all()).some((each) => each.key === key && !each.refusal);

  const form = document.querySelector("#finding");
  if (form) {
    form.querySelector(".photos").hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      form.elements.found_at.value = new Date().toISOString();
      const fields = [...new FormData(form, event.submitter)].filter(([, value]) => typeof value === "string");
      const key = form.elements.key.value;
      const number = form.action.match(/cases\/(\d+)\//)[1];
      const photos = [...form.querySelector("#photo").files];
      await self.outbox.put({ key, case: number, fields, photos, at: Date.now() });
      await flush();
      if (became[key]?.is_released && !became[key].conflict) return location.assign("/desk");
      if (!(await isWaiting(key))) return location.reload(); // another page or the service worker may have sent it
      const worker = await navigator.serviceWorker?.ready.catch(() => null);
      await worker?.sync?.register("findings").catch(() => null); // the browser sends it even when this page is closed
      form.closest("section").replaceChildren(filled(box.dataset.kept, { number }));
    });
  }

  navigator.serviceWorker?.register("/desk/worker.js", { scope: "/desk" });
  addEventListener("online", flush);
  setInterval(flush, AGAIN_MS);
  flush();
})();
