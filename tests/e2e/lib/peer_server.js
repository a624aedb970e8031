// A server of Node: each request is a line on stdout, and is answered with its method, target and length.
const http = require("http");
const server = http.createServer((request, response) => {
    let bytes = 0;
    request.on("data", (chunk) => (bytes += chunk.length));
    request.on("end", () => {
        const text = `${request.method} ${request.url} ${bytes}`;
        process.stdout.write(text + "\n");
        response.end(text);
    });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`port ${server.address().port}\n`));
