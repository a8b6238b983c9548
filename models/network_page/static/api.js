/** An answer of the server, or an Error with the server's own words and status. */
export async function ask(what, parameters = {}, signal) {
  const answer = await fetch(`/api/2.0/tidewaiter/network/${what}?${new URLSearchParams(parameters)}`, { signal });
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body;
  throw Object.assign(new Error(body?.message ?? `${answer.status} ${answer.statusText}`), { status: answer.status });
}
