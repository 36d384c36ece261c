/** Requests to the server that this page comes from. */

const KEY = "lstm-lm-api-key";
const LOST = "The server closed the connection before the answer was complete.";
const UNREACHABLE = "The server does not answer.";

/** What the server, or the way to it, has to say about a request that failed: one line. */
export class ApiError extends Error {
  /**
   * @param {string} message one line
   * @param {number} status of HTTP; 0: there was no answer
   * @param {?string} param the name of the parameter that is wrong, if it is one
   */
  constructor(message, status = 0, param = null) {
    super(message);
    this.status = status;
    this.param = param;
  }
}

/**
 * Keep a key until the tab is closed.
 *
 * @throws {ApiError} no header can hold it
 */
export function keepKey(key) {
  if (/[^\x20-\xff]/.test(key)) throw new ApiError("The API key is wrong: a key has no such characters.", 401);
  sessionStorage.setItem(KEY, key);
}

/** Whether a key was kept. */
export function hasKey() {
  return sessionStorage.getItem(KEY) !== null;
}

/** @returns {Promise<object>} the answer to a GET; throws ApiError */
export async function getJson(path) {
  return (await send(path, { method: "GET" })).json();
}

/** @returns {Promise<object>} the answer to a POST; throws ApiError */
export async function postJson(path, body, signal) {
  return (await post(path, body, signal)).json();
}

/**
 * Ask for texts and pass on the chunks of the answer as they arrive.
 *
 * @param {object} body of /v1/completions
 * @param {AbortSignal} signal
 * @param {(chunk: object) => void} take called with each chunk
 * @throws {ApiError} also in the middle; AbortError if `signal` says so
 */
export async function streamCompletion(body, signal, take) {
  const response = await post("/v1/completions", { ...body, stream: true }, signal);
  for await (const data of events(response)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new ApiError(chunk.error.message, response.status, chunk.error.param);
    take(chunk);
  }
  throw new ApiError(LOST);
}

function post(path, body, signal) {
  return send(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal });
}

async function send(path, request) {
  const headers = new Headers(request.headers);
  if (hasKey()) headers.set("Authorization", `Bearer ${sessionStorage.getItem(KEY)}`);
  let response;
  try {
    response = await fetch(path, { ...request, headers, cache: "no-store" });
  } catch (error) {
    throw error.name === "AbortError" ? error : new ApiError(UNREACHABLE);
  }
  if (!response.ok) throw await problem(response);
  return response;
}

async function problem(response) {
  const body = await response.json().catch(() => ({}));
  const { message, param } = body.error ?? {};
  return new ApiError(message ?? `The server answered with status ${response.status}.`, response.status, param ?? null);
}

/** The data of server-sent events: an event ends with an empty line, which may arrive in two pieces. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      throw error.name === "AbortError" ? error : new ApiError(LOST);
    }
    if (piece.done) return;
    const parts = (text + piece.value).split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      if (part.startsWith("data: ")) yield part.slice("data: ".length);
    }
  }
}
