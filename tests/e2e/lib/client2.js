/*
 * Node's http2 against a server: node client2.js URL [CA]. Prints what came of it as JSON.
 *
 * One session: 300 streams at once, content both ways with its own windows, HEAD, a stream that is
 * cancelled, a ping, and an orderly end.
 */
'use strict';

const fs = require('fs');
const http2 = require('http2');

const [url, ca] = process.argv.slice(2);
const session = http2.connect(url, ca ? { ca: fs.readFileSync(ca) } : {});
session.on('error', (error) => {
  console.error(error);
  process.exit(1);
});
setTimeout(() => {
  console.error('it takes too long');
  process.exit(1);
}, 30000).unref();

function ask(fields, content) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': '/', ...fields }, { endStream: content === undefined });
    let status;
    let bytes = 0;
    stream.on('response', (got) => { status = got[':status']; });
    stream.on('data', (chunk) => { bytes += chunk.length; });
    stream.on('end', () => resolve({ status, bytes }));
    stream.on('error', reject);
    if (content !== undefined) {
      stream.end(content);
    }
  });
}

async function main() {
  const many = await Promise.all(Array.from({ length: 300 }, () => ask({})));
  const posted = await ask({ ':method': 'POST' }, Buffer.alloc(1000000, 'x'));
  const head = await ask({ ':method': 'HEAD' });

  const cancelled = session.request({ ':path': '/', ':method': 'POST' }, { endStream: false });
  cancelled.on('error', () => {});
  cancelled.close(http2.constants.NGHTTP2_CANCEL);
  const pinged = await new Promise((resolve) => session.ping((error) => resolve(!error)));
  const after = await ask({});

  session.close();
  await new Promise((resolve) => session.on('close', resolve));
  console.log(JSON.stringify({
    protocol: session.alpnProtocol,
    many: many.filter(({ status, bytes }) => status === 200 && bytes === 13).length,
    posted: posted.status, head: [head.status, head.bytes], pinged, after: after.status,
  }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
