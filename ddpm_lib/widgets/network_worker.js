// The worker in which the network of the page runs, so that the page never waits for it.

// The whole of the worker: it is sent as text, so it may use nothing from outside itself.
function networkWorker() {
  let ort = null, session = null;
  const say = (message, transfer = []) => self.postMessage(message, transfer);

  // A file with its progress; unpacked here where the server has not done so on the way.
  async function load(url, onBytes) {
    const answer = await fetch(url).catch(() => null);
    if (!answer?.ok) throw new Error(`${url.split("/").at(-1)} could not be loaded (${answer?.status ?? "offline"}).`);
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
    const [module, binary, model] = await Promise.all([import(runtime), load(wasm, onBytes), load(weights, onBytes)]);
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
    work.catch((error) => say({ kind: "error", id: data.id, message: String(error.message ?? error) }));
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
      if (data.kind === "error") return asked.reject(new Error(data.message));
      asked.onTime?.(data.ms);
      asked.resolve(data.eps);
    }
  };
  worker.onerror = (event) => settle.reject(new Error(event.message || "the worker could not be started."));
  worker.postMessage({ kind: "start", ...where });
  const run = (x, t, labels, onTime) => new Promise((resolve, reject) => {
    waiting.set(++calls, { resolve, reject, onTime });
    worker.postMessage({ kind: "run", id: calls, x, t, labels }, [x.buffer]);
  });
  const stop = () => { worker.terminate(); URL.revokeObjectURL(url); };
  return { ready, run, stop };
}
