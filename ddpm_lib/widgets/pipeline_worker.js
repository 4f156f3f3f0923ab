// The worker in which the pipeline of the page runs: several graphs, each with its weights in a file of their own.

// The whole of the worker: it is sent as text, so it may use nothing from outside itself.
function pipelineWorker() {
  let ort = null;
  const sessions = {};
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

  // A file, unpacked here where the server has not done so on the way; onBytes hears what comes.
  async function load(url, onBytes) {
    const answer = await fetch(url).catch(() => null);
    if (!answer?.ok) throw missing(url, answer?.status);
    const counted = answer.body.pipeThrough(new TransformStream({
      transform(piece, to) { onBytes(piece.length); to.enqueue(piece); },
    }));
    const bytes = new Uint8Array(await new Response(counted).arrayBuffer());
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
    const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(unpacked).arrayBuffer());
  }

  async function start({ runtime, wasm, graphs }) {
    const began = performance.now();
    let loaded = 0;
    const get = (url) => load(url, (n) => { loaded += n; say({ kind: "bytes", loaded }); });
    const names = Object.keys(graphs);
    const [module, binary, ...files] = await Promise.all([bring(runtime), get(wasm),
      ...names.flatMap((name) => [get(graphs[name].graph), get(graphs[name].weights)])]);
    const arrived = performance.now();
    ort = module;
    ort.env.wasm.numThreads = 1; // more need headers that hosts of static pages do not send
    ort.env.wasm.wasmBinary = binary;
    ort.env.logLevel = "error";
    for (const [i, name] of names.entries()) {
      // The graph names its weights by their place in this very file (ddpm_lib/export_pipeline.py).
      const externalData = [{ path: graphs[name].location, data: files[2 * i + 1] }];
      sessions[name] = await ort.InferenceSession.create(files[2 * i], { executionProviders: ["wasm"], externalData });
    }
    say({ kind: "ready", loaded, ms: { fetch: arrived - began, prepare: performance.now() - arrived } });
  }

  // feeds: name → {data, dims}: a Float32Array, or a plain list of whole numbers.
  async function run({ id, graph, feeds }) {
    const began = performance.now(), given = {};
    for (const [name, { data, dims }] of Object.entries(feeds)) {
      const real = data instanceof Float32Array;
      given[name] = new ort.Tensor(real ? "float32" : "int64", real ? data : BigInt64Array.from(data, BigInt), dims);
    }
    const answer = await sessions[graph].run(given);
    const { data, dims } = Object.values(answer)[0], copy = Float32Array.from(data);
    say({ kind: "answer", id, data: copy, dims: [...dims], ms: performance.now() - began }, [copy.buffer]);
  }

  self.onmessage = ({ data }) => {
    const work = data.kind === "start" ? start(data) : run(data);
    work.catch((error) => say({ kind: "error", id: data.id, message: String(error.message ?? error), again: error.again }));
  };
}

// Start the pipeline. where: {runtime, wasm, graphs: name → {graph, weights, location}}, absolute addresses.
// Returns {ready, run, stop}: run(graph, feeds) → promise of {data, dims, ms}. onBytes hears what has come so far.
export function startPipeline(where, { onBytes }) {
  const url = URL.createObjectURL(new Blob([`(${pipelineWorker})();`], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const waiting = new Map();
  let settle, calls = 0;
  const ready = new Promise((resolve, reject) => { settle = { resolve, reject }; });
  worker.onmessage = ({ data }) => {
    if (data.kind === "bytes") return onBytes(data.loaded);
    if (data.kind === "ready") return settle.resolve(data);
    const asked = waiting.get(data.id) ?? settle;
    waiting.delete(data.id);
    if (data.kind === "error") asked.reject(Object.assign(new Error(data.message), { again: data.again }));
    else asked.resolve(data);
  };
  // Without a message the browser refused the worker itself; that is the page's or its frame's policy, and it lasts.
  worker.onerror = (event) => settle.reject(event.message ? new Error(event.message) : Object.assign(new Error(
    "This page may not start the worker that the network runs in: its host's security policy, or the frame that it stands in,"
    + " forbids it."), { again: false }));
  worker.postMessage({ kind: "start", ...where });
  const run = (graph, feeds) => new Promise((resolve, reject) => {
    waiting.set(++calls, { resolve, reject });
    worker.postMessage({ kind: "run", id: calls, graph, feeds });
  });
  const stop = () => { worker.terminate(); URL.revokeObjectURL(url); };
  return { ready, run, stop };
}
