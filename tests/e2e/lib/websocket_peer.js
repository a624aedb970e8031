// A client by npm's ws: messages of many kinds there and back, in order, and then a close.
//
//     node websocket_peer.js FOLDER URL COMPRESSED
//
// FOLDER is that of the modules. It prints one line of JSON: how many came back as they were sent, what
// was agreed, and how it ended.
'use strict';

const path = require('path');
const [folder, url, compressed] = process.argv.slice(2);
const WebSocket = require(path.join(folder, 'node_modules', 'ws'));

const messages = [];
for (const bytes of [0, 1, 125, 126, 65535, 65536, 1000000]) {
    messages.push(Buffer.alloc(bytes, 'the quick brown fox '));
    messages.push('é'.repeat(bytes / 2));
}

const socket = new WebSocket(url, ['superchat', 'chat'], {
    perMessageDeflate: compressed === 'yes' ? { clientMaxWindowBits: 12, serverMaxWindowBits: 12 } : false,
    rejectUnauthorized: false,
    origin: url.replace(/^ws/, 'http').replace(/(:\/\/[^/]*).*/, '$1'),
});
let same = 0, came = 0, pongs = 0;

socket.on('open', () => {
    for (const message of messages)
        socket.send(message);
    socket.ping('are you there');
});
socket.on('pong', data => {
    pongs += data.toString() === 'are you there';
});
socket.on('message', (data, isBinary) => {
    const sent = messages[came++];
    same += isBinary === Buffer.isBuffer(sent) && data.equals(Buffer.from(sent));
    if (came === messages.length)
        socket.close(4001, 'that was all');
});
socket.on('close', code => {
    const { protocol, extensions } = socket;
    console.log(JSON.stringify({ same, pongs, code, protocol, extensions, sent: messages.length }));
});
