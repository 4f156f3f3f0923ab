// The worker in which the network of the page runs, so that the page never waits for it.

// The whole of the worker: it is sent as text, so it may use nothing from outside itself.
function networkWorker() {
  let ort = null, session = null;
  const say = (message, transfer = []) => self.postMessage(message, transfer);

  const nameOf = (url) => url.split("/").at(-1);
  const failure = (message, again) => Object.assign(new Error(message), { again });
  // A host that has no such file will have none in a second; a network or a host that fails may do better then.
  const missing = (url, status) => failure(`${nameOf(url)} could not be loaded (${status ?? "offline"}).`,
    !(status >= 400 && status < 500) || status === 408 || status === 429);

  // The runtime's module. A browser does not tell why one was refused, so the file is asked for once more.
  async function bring(url) {
    return import(url).catch(async (error) => {
      const answer = await fetch(url).catch(() => null);
      if (!answer?.ok) throw missing(url, answer?.status);
      const type = answer.headers.get("content-type") ?? "nothing";
      if (/(java|ecma)script/.test(type)) throw error;
      throw failure(`This site's host sends ${nameOf(url)} as ${type}, and a browser runs it only as text/javascript.`, false);
    });
  }

  // A file with its progress; unpacked here where the server has not done so on the way.
  async function load(url, onBytes) {
    const answer = await fetch(url).catch(() => null);
    if (!answer?.ok) throw missing(url, answer?.status);
    const parts = [], reader = answer.body.getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      parts.push(piece.value);
      onBytes(piece.value.length);
    }
    const blob = new Blob(parts), head = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
    if (head[0] !== 0x1f || head[1] !== 0x8b) return new Uint8Array(await blob.arrayBuffer());
    const unpacked = blob.stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
  }

  async function start({ runtime, wasm, weights }) {
    let loaded = 0;
    const onBytes = (n) => { loaded += n; say({ kind: "bytes", loaded }); };
    const [module, binary, model] = await Promise.all([bring(runtime), load(wasm, onBytes), load(weights, onBytes)]);
    ort = module;
    ort.env.wasm.numThreads = 1; // more need headers that hosts of static pages do not send
    ort.env.wasm.wasmBinary = binary;
    ort.env.logLevel = "error";
    session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
    say({ kind: "ready", loaded });
  }

  async function run({ id, x, t, labels }) {
    const began = performance.now(), n = labels.length;
    const whole = (values) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [n]);
    const side = Math.sqrt(x.length / n);
    const inputs = { xt: new ort.Tensor("float32", x, [n, 1, side, side]), t: whole(Array(n).fill(t)),
      label: whole(labels) };
    const { eps } = await session.run(inputs);
    const answer = Float32Array.from(eps.data);
    say({ kind: "eps", id, eps: answer, ms: performance.now() - began }, [answer.buffer]);
  }

  self.onmessage = ({ data }) => {
    const work = data.kind === "start" ? start(data) : run(data);
    work.catch((error) => say({ kind: "error", id: data.id, message: String(error.message ?? error), again: error.again }));
  };
}

// Start the network: where: {runtime, wasm, weights}, absolute addresses. Returns {ready, run, stop}: a promise,
// run(x, t, labels, onTime?) → promise of eps, and an end to it all. onBytes hears what has come; onTime, the ms.
export function startNetwork(where, { onBytes }) {
  const code = new Blob([`(${networkWorker})();`], { type: "text/javascript" });
  const url = URL.createObjectURL(code);
  const worker = new Worker(url, { type: "module" });
  const waiting = new Map();
  let settle, calls = 0;
  const ready = new Promise((resolve, reject) => { settle = { resolve, reject }; });
  worker.onmessage = ({ data }) => {
    if (data.kind === "bytes") onBytes(data.loaded);
    else if (data.kind === "ready") settle.resolve(data);
    else {
      const asked = waiting.get(data.id) ?? settle;
      waiting.delete(data.id);
      if (data.kind === "error") return asked.reject(Object.assign(new Error(data.message), { again: data.again }));
      asked.onTime?.(data.ms);
      asked.resolve(data.eps);
    }
  };
  // Without a message the browser refused the worker itself; that is the page's or its frame's policy, and it lasts.
  worker.onerror = (event) => settle.reject(event.message ? new Error(event.message) : Object.assign(new Error(
    "This page may not start the worker that the network runs in: its host's security policy, or the frame that it stands in,"
    + " forbids it."), { again: false }));
  worker.postMessage({ kind: "start", ...where });
  const run = (x, t, labels, onTime) => new Promise((resolve, reject) => {
    waiting.set(++calls, { resolve, reject, onTime });
    worker.postMessage({ kind: "run", id: calls, x, t, labels }, [x.buffer]);
  });
  const stop = () => { worker.terminate(); URL.revokeObjectURL(url); };
  return { ready, run, stop };
}
