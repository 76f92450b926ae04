// Requests to the API: a token in the header, errors as one kind of exception, no token at all asked for.

import { ask, current, forget } from "./token.js";

/** The server said no; `body` is what it said, as JSON. */
export class Refused extends Error {
  constructor(status, body) {
    super(body?.error?.message ?? `the server answers with status ${status}`);
    this.status = status;
    this.type = body?.error?.type ?? "";
    this.body = body;
  }
}

/** Make a request and return its response, once it is neither refused nor without a valid token. */
export async function request(path, { method = "GET", body, accept = "application/json", headers = {}, signal } = {}) {
  for (let reason = ""; ; ) {
    const token = current() || (await ask(reason, check));
    signal?.throwIfAborted();
    const response = await send(token, path, { method, body, accept, headers, signal });
    if (response.status !== 401) return response.ok ? response : Promise.reject(new Refused(response.status, await json(response)));
    await response.body?.cancel();
    if (current() === token) forget();
    reason = "That token is not valid any more.";
  }
}

export async function get(path, options) {
  return json(await request(path, options));
}

export async function post(path, body, options) {
  return json(await request(path, { ...options, method: "POST", body }));
}

export async function remove(path, options) {
  return json(await request(path, { ...options, method: "DELETE" }));
}

/** Join a path of parts that may hold anything. */
export function path(...parts) {
  return ["api", ...parts.map(encodeURIComponent)].join("/");
}

function send(token, path, { method, body, accept, headers, signal }) {
  const content = body === undefined ? {} : { "Content-Type": "application/json" };
  return fetch(new URL(path, document.baseURI), {
    method,
    signal,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { Accept: accept, Authorization: `Bearer ${token}`, ...content, ...headers },
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
  });
}

async function json(response) {
  const text = await response.text();
  try {
    return text ? JSON.parse(text) : {};
  } catch {
    return {};
  }
}

/** Say what is wrong with a token, "" where nothing is. */
async function check(token) {
  try {
    const response = await send(token, "api/status", { method: "GET", accept: "application/json", headers: {} });
    await response.body?.cancel();
    if (response.status === 401) return "ClawMesh does not know this token, or it has expired.";
    return response.status < 500 ? "" : `ClawMesh answers with status ${response.status}. Try again.`;
  } catch {
    return "ClawMesh cannot be reached. Does it still run?";
  }
}

/** What to tell a person of any error. */
export function explain(error) {
  if (error instanceof Refused) return error.status === 403 ? `Your token does not allow this: ${error.message}` : error.message;
  return error instanceof TypeError ? "ClawMesh cannot be reached. Does it still run?" : String(error?.message ?? error);
}

export function aborted(error) {
  return error?.name === "AbortError";
}
