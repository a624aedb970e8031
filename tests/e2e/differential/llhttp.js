'use strict';
// Feeds requests to llhttp, the parser inside Node, and says what it made of each.
//
// The parser is the one that undici carries as wasm, so that its version is ours to choose and not the
// machine's: script/bootstrap puts it into build/npm as tests/npm/package-lock.json names it.
//
// In: lines of JSON, {id, data: hex}.  Out: {id, messages, error} a line: how many requests were
// complete, and why it refused, or null.  A message that is not complete when its bytes end counts as
// refused.

const path = require('path');
const readline = require('readline');

const ROOT = path.resolve(__dirname, '../../..');
const WASM = require(path.join(ROOT, 'build/npm/node_modules/undici/lib/llhttp/llhttp-wasm.js'));

const REQUEST = 1;              // llhttp_type_t
const OK = 0;                   // llhttp_errno_t
const PAUSED_UPGRADE = 22;
const HEAD_BYTES_MAX = 32 * 1024;

// What the parser calls; it has no way to carry a context, and judges one request at a time.
let messages = 0;
let inside = false;
let headBytes = 0;

// As Node does: the parser has no limit of its own for a head.
const countHead = (parser, at, bytes) => {
  headBytes += bytes;
  return headBytes > HEAD_BYTES_MAX ? -1 : 0;
};

const { exports: llhttp } = new WebAssembly.Instance(new WebAssembly.Module(WASM), {
  env: {
    wasm_on_message_begin: () => { headBytes = 0; return 0; },
    wasm_on_url: countHead,
    wasm_on_status: () => 0,
    wasm_on_header_field: countHead,
    wasm_on_header_value: countHead,
    wasm_on_headers_complete: () => { inside = true; headBytes = 0; return 0; },
    wasm_on_body: () => 0,
    wasm_on_message_complete: () => { messages++; inside = false; headBytes = 0; return 0; },
  },
});
llhttp._initialize();

function judge(data) {
  messages = 0;
  inside = false;
  headBytes = 0;
  const parser = llhttp.llhttp_alloc(REQUEST);
  const bytes = llhttp.malloc(data.length);
  new Uint8Array(llhttp.memory.buffer).set(data, bytes);

  let code = llhttp.llhttp_execute(parser, bytes, data.length);
  if (code === PAUSED_UPGRADE)
    code = OK; // an upgrade or CONNECT: what follows is no longer HTTP to it
  let error = null;
  if (code !== OK)
    error = code;
  else if ((code = llhttp.llhttp_finish(parser)) !== OK)
    error = code;
  else if (inside || messages === 0)
    error = 'incomplete';
  llhttp.free(bytes);
  llhttp.llhttp_free(parser);
  return { messages, error };
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, data } = JSON.parse(line);
  console.log(JSON.stringify({ id, ...judge(Buffer.from(data, 'hex')) }));
});
