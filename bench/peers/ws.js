// Peer: ws of npm, in one process.  `node ws.js PORT FOLDER`, with node_modules/ws in FOLDER.
// `/` sends each message back, `/room` sends it to all that are there.
'use strict';
const path = require('path');
const { WebSocketServer } = require(path.join(process.argv[3], 'node_modules', 'ws'));
const server = new WebSocketServer({
  host: '127.0.0.1', port: Number(process.argv[2]), perMessageDeflate: false, clientTracking: false,
});
const room = new Set();
server.on('connection', (socket, request) => {
  if (request.url !== '/room') {
    socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
  } else {
    room.add(socket);
    socket.on('close', () => room.delete(socket));
    socket.on('message', (message, isBinary) => {
      for (const one of room)
        one.send(message, { binary: isBinary });
    });
  }
  socket.on('error', () => {});
});
