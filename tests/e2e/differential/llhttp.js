'use strict';
// Feeds requests to the parser inside Node and says what it made of each.
//
// In: lines of JSON, {id, data: hex}.  Out: one line of JSON with the parser's version first, then
// {id, messages, error} a line: how many requests were complete, and why it refused, or null.
// A message that is not complete when its bytes end counts as refused.

const readline = require('readline');
process.removeAllListeners('warning');
process.on('warning', () => {});
const { HTTPParser } = process.binding('http_parser');

const HEAD_BYTES_MAX = 32 * 1024;

function judge(data) {
  const parser = new HTTPParser();
  let messages = 0;
  let inside = false;
  parser.initialize(HTTPParser.REQUEST, {}, HEAD_BYTES_MAX, 0);
  parser[HTTPParser.kOnHeaders] = () => {};
  parser[HTTPParser.kOnHeadersComplete] = () => { inside = true; return 0; };
  parser[HTTPParser.kOnBody] = () => {};
  parser[HTTPParser.kOnMessageComplete] = () => { messages++; inside = false; };
  const result = parser.execute(data);
  let error = null;
  if (result instanceof Error)
    error = result.code || 'error';
  else if (result < data.length)
    error = null; // an upgrade or CONNECT: what follows is no longer HTTP to it
  if (!error) {
    const end = parser.finish();
    if (end instanceof Error)
      error = end.code || 'error';
    else if (inside || messages === 0)
      error = 'incomplete';
  }
  return { messages, error };
}

console.log(JSON.stringify({ llhttp: process.versions.llhttp }));
readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, data } = JSON.parse(line);
  console.log(JSON.stringify({ id, ...judge(Buffer.from(data, 'hex')) }));
});
