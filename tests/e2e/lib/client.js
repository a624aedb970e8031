'use strict';
// Node's own HTTP client against the program: keep-alive, HEAD, POST, Expect, many at once.
// Prints one line of JSON with what it saw; whatever goes wrong is an exit code other than 0.

const http = require('http');
const assert = require('assert');

const [host, port] = [process.argv[2], Number(process.argv[3])];
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

function ask(method, path, content, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path, headers, agent }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        assert(response.complete);
        resolve({
          status: response.statusCode,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
          reused: request.reusedSocket,
        });
      });
    });
    request.on('error', reject);
    if (headers.Expect)
      request.on('continue', () => request.end(content));
    else
      request.end(content);
  });
}

async function main() {
  const seen = {};
  const first = await ask('GET', '/');
  assert.deepStrictEqual([first.status, first.text], [200, 'Hello, world!']);
  seen.reused = (await ask('GET', '/again')).reused;
  const head = await ask('HEAD', '/');
  assert.deepStrictEqual([head.status, head.text, head.headers['content-length']], [200, '', '13']);
  for (const size of [0, 1, 1000, 1048576]) {
    const plain = await ask('POST', '/', Buffer.alloc(size, 'x'), { 'Content-Length': size });
    assert.strictEqual(plain.status, 200);
    const chunked = await ask('PUT', '/', Buffer.alloc(size, 'x'), { 'Transfer-Encoding': 'chunked' });
    assert.strictEqual(chunked.status, 200);
  }
  const large = await ask('POST', '/', Buffer.alloc(1048577, 'x'));
  assert.strictEqual(large.status, 413);
  const expecting = await ask('POST', '/', 'hello', { Expect: '100-continue', 'Content-Length': 5 });
  assert.strictEqual(expecting.status, 200);
  const many = await Promise.all([...Array(300).keys()].map((n) => ask('GET', `/${n}`)));
  seen.many = many.filter((one) => one.status === 200 && one.text === 'Hello, world!').length;
  console.log(JSON.stringify(seen));
  agent.destroy();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
