// Perfetto's trace processor, as its web page runs it, for requests on standard input and replies on standard
// output. Run: node trace_processor.js FOLDER, which holds engine_bundle.js and the WebAssembly beside it.
//
// The bundle expects a web worker. It finds what it asks for of one here, and files of FOLDER for what it fetches.

const fs = require("fs");
const path = require("path");

const folder = process.argv[2];
process.type = "renderer"; // or else it takes this for Node, which it was not built for
globalThis.self = globalThis;
globalThis.WorkerGlobalScope = globalThis.importScripts = function () {};
globalThis.location = {href: "http://localhost/"};
globalThis.XMLHttpRequest = class {
    open(_, name) {
        this.name = path.basename(name);
    }
    send() {
        const content = fs.readFileSync(path.join(folder, this.name));
        this.status = 200;
        this.response = content.buffer.slice(content.byteOffset, content.byteOffset + content.length);
    }
};
console.log = console.warn = () => {};
(0, eval)(fs.readFileSync(path.join(folder, "engine_bundle.js"), "utf8"));

const port = {postMessage: (bytes) => fs.writeSync(1, bytes)};
globalThis.onmessage({data: port});
const requests = new Uint8Array(fs.readFileSync(0));
// Behind what the bundle still has to do before it takes requests.
setTimeout(() => port.onmessage({data: requests}), 0);
