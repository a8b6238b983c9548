/* Findings that wait on this device until the server has answered. The page and the service worker both use this: a
   finding is put into the browser's database first, and taken out when an answer came; the server knows a finding by
   its key, so sending it again changes nothing. */
self.outbox = (() => {
  const STORE = "findings";
  const FORM = { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" };

  function database() {
    return new Promise((resolve, reject) => {
      const opening = indexedDB.open("tidewaiter-desk", 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "key" });
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
  }

  async function run(mode, work) {
    const opened = await database();
    try {
      const transaction = opened.transaction(STORE, mode, { durability: "strict" });
      const asked = work(transaction.objectStore(STORE));
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onerror = transaction.onabort = () => reject(transaction.error);
      });
      return asked.result;
    } finally {
      opened.close();
    }
  }

  const put = (finding) => run("readwrite", (store) => store.put(finding));
  const drop = (key) => run("readwrite", (store) => store.delete(key));
  const all = async () => (await run("readonly", (store) => store.getAll())).sort((a, b) => a.at - b.at);

  // What no answer came to, or a passing trouble of the server, is sent again later.
  const isPassing = (status) => status === 401 || status === 408 || status === 429 || status >= 500;

  async function post(address, body, headers) {
    const answer = await fetch(address, { method: "POST", body, headers, credentials: "same-origin" });
    if (isPassing(answer.status)) throw new Error(`the server answers ${answer.status}`);
    const isJson = (answer.headers.get("Content-Type") || "").includes("json");
    const told = isJson ? await answer.json() : {};
    return { isRefused: !answer.ok, told, status: answer.status };
  }

  const reason = (answer) => answer.told.refusal || answer.told.message || String(answer.status);

  async function send(finding) {
    const photos = [];
    for (const photo of finding.photos) {
      const answer = await post(`/desk/cases/${finding.case}/photos`, photo, { Accept: "application/json" });
      if (answer.isRefused) return { refusal: reason(answer) };
      photos.push(answer.told.photo);
    }
    const fields = new URLSearchParams(finding.fields);
    fields.set("photos", photos.join(" "));
    const answer = await post(`/desk/cases/${finding.case}/finding`, fields, FORM);
    return answer.isRefused ? { refusal: reason(answer) } : answer.told;
  }

  /* Send what waits, in order. Resolves to what became of each by its key; stops where the server is not reached. */
  async function flush() {
    return navigator.locks.request("tidewaiter-desk", async () => {
      const became = {};
      for (const finding of await all()) {
        if (finding.refusal) continue; // it stays until its officer has seen why
        try {
          const told = (became[finding.key] = await send(finding));
          if (told.refusal && told.conflict === undefined) await put({ ...finding, refusal: told.refusal });
          else await drop(finding.key);
        } catch {
          break;
        }
      }
      return became;
    });
  }

  return { put, drop, all, flush };
})();
